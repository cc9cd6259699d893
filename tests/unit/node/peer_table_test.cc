#include "node/peer_table.h"

#include <string>

#include <absl/strings/escaping.h>

#include "catch.hpp"

using namespace dynamo::core;
using dynamo::Identity;
using test::ContainsSubstring;

namespace {

PacketHeader from_b(std::uint64_t boot, std::uint64_t random, Identity identity = {1, 1}) {
  return {.sender = identity, .boot = boot, .boot_random = random, .from = "b"};
}

}  // namespace

TEST_CASE("peers: the first packet of a name pins its identity") {
  PeerTable peers;
  const PeerTable::Verdict learned = peers.check(from_b(3, 30), {}, true);
  CHECK(learned.refusal.empty());
  CHECK(learned.changed);
  CHECK_FALSE(peers.check(from_b(3, 30), {}, true).changed);

  const PeerTable::Verdict other = peers.check(from_b(4, 40, {2, 2}), {}, true);
  CHECK_THAT(other.refusal, ContainsSubstring("another data directory"));
  CHECK_FALSE(other.tell_sender);
  CHECK_FALSE(other.changed);
  CHECK(peers.refusal("b") == other.refusal);
  CHECK(peers.find("b")->identity == Identity{1, 1});

  CHECK(peers.check(from_b(3, 30), {}, true).refusal.empty());
  CHECK(peers.refusal("b").empty());
}

TEST_CASE("peers: a higher boot is the next life, a lower one an older copy") {
  PeerTable peers;
  peers.check(from_b(3, 30), {}, true);
  CHECK(peers.check(from_b(5, 50), {}, true).changed);

  const PeerTable::Verdict lower = peers.check(from_b(4, 40), {}, true);
  CHECK_THAT(lower.refusal, ContainsSubstring("is at boot 4, but has been seen at boot 5"));
  REQUIRE(lower.tell_sender);
  CHECK(*lower.tell_sender == BootRefused{.boot = 4, .boot_random = 40, .boot_seen = 5});
  CHECK(peers.find("b")->boot == 5);
  CHECK(peers.check(from_b(5, 50), {}, true).refusal.empty());
}

TEST_CASE("peers: one boot with two random numbers is a copied directory") {
  PeerTable peers;
  peers.check(from_b(3, 30), {}, true);
  const PeerTable::Verdict twin = peers.check(from_b(3, 31), {}, true);
  CHECK_THAT(twin.refusal, ContainsSubstring("runs twice at boot 3"));
  REQUIRE(twin.tell_sender);
  CHECK(twin.tell_sender->boot_random == 31);
}

TEST_CASE("peers: the identity that the view gives counts, before and after the first packet") {
  PeerTable peers;
  CHECK_FALSE(peers.check(from_b(9, 90, {2, 2}), {1, 1}, true).refusal.empty());
  CHECK(peers.find("b") == nullptr);
  CHECK(peers.check(from_b(3, 30, {1, 1}), {1, 1}, true).refusal.empty());
  // The view replaces the node: its boots begin anew.
  CHECK(peers.check(from_b(1, 10, {2, 2}), {2, 2}, true).changed);
  CHECK(peers.find("b")->identity == Identity{2, 2});
  CHECK_FALSE(peers.check(from_b(4, 40, {1, 1}), {2, 2}, true).refusal.empty());
}

TEST_CASE("peers: what was pinned stays pinned over a restart") {
  PeerTable peers;
  peers.check(from_b(3, 30), {}, true);
  PeerTable restarted;
  restarted.restore(decode_peer(encode_peer(*peers.find("b"))).value());
  CHECK_FALSE(restarted.check(from_b(2, 20), {}, true).refusal.empty());
  CHECK_FALSE(restarted.check(from_b(3, 31), {}, true).refusal.empty());
  CHECK(restarted.check(from_b(3, 30), {}, true).refusal.empty());
}

TEST_CASE("peers: another identity takes the place of one that is not reachable, for good") {
  PeerTable peers;
  peers.check(from_b(3, 30), {}, true);
  CHECK_FALSE(peers.check(from_b(1, 10, {2, 2}), {}, true).refusal.empty());
  const PeerTable::Verdict replaced = peers.check(from_b(1, 10, {2, 2}), {}, false);
  CHECK(replaced.refusal.empty());
  CHECK(replaced.changed);
  CHECK(peers.find("b")->identity == Identity{2, 2});
  CHECK(peers.find("b")->former == std::vector<Identity>{{1, 1}});
  // The first disk was found again; also after a restart of who remembers.
  PeerTable restarted;
  restarted.restore(decode_peer(encode_peer(*peers.find("b"))).value());
  for (PeerTable* table : {&peers, &restarted}) {
    const PeerTable::Verdict back = table->check(from_b(4, 40), {}, false);
    CHECK_FALSE(back.refusal.empty());
    REQUIRE(back.tell_sender);
    CHECK(back.tell_sender->boot_seen == dynamo::core::boot_replaced);
  }
}

// A change of these bytes makes every data directory unreadable.
TEST_CASE("peers: golden bytes, damage anywhere is DATA_LOSS") {
  const std::string bytes =
      encode_peer({.name = "b", .identity = {0x11, 0x12}, .boot = 300, .boot_random = 0x31});
  CHECK(absl::BytesToHexString(bytes) ==
        "01016211000000000000001200000000000000ac02310000000000000000"
        "9e2840bc6017ecc3");
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    CHECK(absl::IsDataLoss(decode_peer(damaged).status()));
    CHECK(absl::IsDataLoss(decode_peer(bytes.substr(0, at)).status()));
  }
}

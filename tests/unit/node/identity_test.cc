#include "node/identity.h"

#include <string>

#include <absl/strings/escaping.h>

#include "catch.hpp"

using namespace dynamo::core;

namespace {

constexpr BootRandomness first = {.identity = {1, 2}, .boot_random = 3};
constexpr BootRandomness second = {.identity = {4, 5}, .boot_random = 6};

NodeIdentity stored() { return next_boot(std::nullopt, "a", 256, first).value(); }

std::string message(const absl::StatusOr<NodeIdentity>& identity) {
  return std::string(identity.status().message());
}

}  // namespace

TEST_CASE("identity: a new directory draws one, at boot 1") {
  const NodeIdentity identity = stored();
  CHECK(identity.name == "a");
  CHECK(identity.identity == dynamo::Identity{1, 2});
  CHECK(identity.cluster.is_zero());
  CHECK(identity.partitions == 256);
  CHECK(identity.boot == 1);
  CHECK(identity.boot_random == 3);
}

TEST_CASE("identity: every open raises the boot and draws its random number, and nothing else") {
  NodeIdentity last = stored();
  last.cluster = {8, 9};
  const NodeIdentity next = next_boot(encode_identity(last), "a", 256, second).value();
  CHECK(next.identity == last.identity);
  CHECK(next.cluster == last.cluster);
  CHECK(next.boot == 2);
  CHECK(next.boot_random == 6);
}

TEST_CASE("identity: refusals, each a sentence") {
  NodeIdentity last = stored();
  const auto other_name = next_boot(encode_identity(last), "b", 256, second);
  CHECK(absl::IsFailedPrecondition(other_name.status()));
  CHECK(message(other_name) == "data directory belongs to node \"a\", not to \"b\"");

  const auto other_q = next_boot(encode_identity(last), "a", 512, second);
  CHECK(absl::IsFailedPrecondition(other_q.status()));
  CHECK(message(other_q) ==
        "partitions: 512, but the data directory was made with 256; Q is fixed for the life of a "
        "cluster");

  last.boot_seen_by_peers = 7;
  const auto older = next_boot(encode_identity(last), "a", 256, second);
  CHECK(absl::IsFailedPrecondition(older.status()));
  CHECK(message(older) ==
        "data directory is an older copy of node \"a\": peers have seen its boot 7; what was "
        "written since is missing here, so it must not come back under this identity; adopt_as_new "
        "empties it for a new node, which fetches what it owns from the others");
}

TEST_CASE("identity: a directory is adopted once, and again when it is refused again") {
  NodeIdentity last = stored();
  const auto adopt = [&] {
    return next_boot(encode_identity(last), "a", 256, second, true).value();
  };
  const NodeIdentity adopted = adopt();
  CHECK(adopted.identity == second.identity);
  CHECK(adopted.boot == 1);
  CHECK(adopted.adopted);
  CHECK(decode_identity(encode_identity(adopted))->adopted);

  last = adopted;
  last.identity = {77, 77};
  CHECK(adopt().identity == dynamo::Identity{77, 77});
  CHECK(adopt().boot == 2);
  last.boot_seen_by_peers = 7;
  CHECK(adopt().identity == second.identity);
  // Never somebody else's.
  CHECK(absl::IsFailedPrecondition(
      next_boot(encode_identity(last), "b", 256, second, true).status()));
}

TEST_CASE("identity: damage anywhere is DATA_LOSS") {
  const std::string bytes = encode_identity(stored());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const auto next = next_boot(damaged, "a", 256, second);
    CHECK(absl::IsDataLoss(next.status()));
    CHECK(message(next).starts_with("the node's identity record is damaged: "));
    CHECK(absl::IsDataLoss(next_boot(bytes.substr(0, at), "a", 256, second).status()));
  }
}

// A change of these bytes makes every data directory unreadable.
TEST_CASE("identity: golden bytes") {
  CHECK(absl::BytesToHexString(encode_identity({.name = "a",
                                                .identity = {0x11, 0x12},
                                                .cluster = {0x21, 0x22},
                                                .partitions = 256,
                                                .boot = 5,
                                                .boot_random = 0x31,
                                                .boot_seen_by_peers = 7})) ==
        "01016111000000000000001200000000000000210000000000000022000000000000008002053100"
        "000000000000073d173d7eb87b2b17");
}

TEST_CASE("identity: the cluster is the label and what the membership says") {
  CHECK(cluster_identity("dynamo", {1, 2}) == cluster_identity("dynamo", {1, 2}));
  CHECK(cluster_identity("dynamo", {1, 2}) != cluster_identity("other", {1, 2}));
  CHECK(cluster_identity("dynamo", {1, 2}) != cluster_identity("dynamo", {1, 3}));
  CHECK_FALSE(cluster_identity("dynamo", {}).is_zero());
}

TEST_CASE("identity: prints as 32 hexadecimal digits") {
  CHECK(dynamo::Identity{0xab, 0xcd}.to_string() == "00000000000000ab00000000000000cd");
}

// Which strand deals with what (node/strand_router.h).

#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "catch.hpp"
#include "node/node_state.h"
#include "node/strand_router.h"

using namespace dynamo::core;

namespace {

constexpr std::uint64_t seed = 77;
constexpr int partitions = 16;
constexpr int strands = 3;
const StrandRouter router(seed, partitions, strands);

std::string key(int i) { return "key" + std::to_string(i); }

int partition_of(const std::string& key) {
  return static_cast<int>(key_hash(key, seed).high >> 60);
}

ReadRequest read_of(int i) {
  return {.operation = static_cast<std::uint64_t>(i), .store = {.name = "s"}, .key = key(i)};
}

PacketOpened opened(std::vector<Message> messages) {
  PacketOpened opened{.peer = "b",
                      .bytes = std::make_shared<const PacketOpened::Bytes>("the packet")};
  opened.packet.header.from = "b";
  opened.packet.header.view = 7;
  opened.packet.messages = std::move(messages);
  return opened;
}

}  // namespace

TEST_CASE("strands: a key belongs to the strand of its partition") {
  std::set<int> used;
  for (int i = 0; i < 1000; ++i) {
    CHECK(router.of_key(key(i)) == partition_of(key(i)) % strands);
    CHECK(router.of_message(read_of(i)) == router.of_key(key(i)));
    CHECK(router.of_message(WriteRequest{.key = key(i)}) == router.of_key(key(i)));
    Message forward(std::in_place_type<PutForward>);  // moved into it, g++ 14 sees what is not
    std::get<PutForward>(forward).key = key(i);
    CHECK(router.of_message(forward) == router.of_key(key(i)));
    used.insert(router.of_key(key(i)));
  }
  CHECK(used == std::set<int>{0, 1, 2});
}

TEST_CASE("strands: an answer finds the strand that has asked") {
  NodeState state(NodeIdentity{.name = "a", .boot = 1, .boot_random = 0x1234567890abcdef},
                  NodeSettings{.partitions = partitions, .strands = strands});
  REQUIRE(state.strands.size() == strands + 1);
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 100; ++i) {
    for (const auto& strand : state.strands) {
      const std::uint64_t number = strand->next_number();
      CHECK(numbers.insert(number).second);
      CHECK(state.strand_of_number(number) == strand.get());
      CHECK(router.of_message(ReadReply{.operation = number}) == strand->index);
      CHECK(router.of_message(WriteReply{.operation = number}) == strand->index);
      CHECK(router.of_message(PutForwardReply{.operation = number}) == strand->index);
    }
  }
  CHECK(&state.common == state.strands.back().get());
  CHECK(state.next_number() % Strand::numbers_apart == strands);
}

TEST_CASE("strands: numbers of an earlier life with more strands lead nowhere") {
  NodeState state(NodeIdentity{.name = "a"}, NodeSettings{.partitions = partitions});
  CHECK(state.strands.size() == 1);
  CHECK(state.strand_of_number(64) == &state.common);
  CHECK(state.strand_of_number(65) == nullptr);
  CHECK(router.of_number(64 + 40) == router.common());
}

TEST_CASE("strands: actors of two strands are never the same") {
  NodeState state(NodeIdentity{.name = "a", .boot_random = 5},
                  NodeSettings{.partitions = partitions, .strands = strands});
  std::set<dynamo::ActorId> actors;
  for (int i = 0; i < 100; ++i) {
    for (const auto& strand : state.strands) {
      const dynamo::ActorId actor = strand->actors.draw();
      CHECK(actors.insert(actor).second);
      CHECK(strand->actors.trusts(actor));
    }
  }
  for (const auto& strand : state.strands) strand->actors.distrust();
  for (const dynamo::ActorId& actor : actors) {
    const auto& drew = state.strands[actor.sequence % state.strands.size()];
    CHECK_FALSE(drew->actors.trusts(actor));
  }
}

TEST_CASE("strands: a packet is divided, and each message goes one way, in order") {
  std::vector<Message> messages;
  for (int i = 0; i < 60; ++i) {
    messages.push_back(read_of(i));
    if (i % 10 == 0) messages.push_back(Ping{static_cast<std::uint64_t>(i)});
  }
  PacketOpened whole = opened(std::move(messages));
  const PacketHeader header = whole.packet.header;
  const auto bytes = whole.bytes;
  const auto parts = router.divide(std::move(whole));
  REQUIRE(parts.size() == strands + 1);
  int last_strand = -1;
  std::set<int> seen;
  for (const auto& [strand, part] : parts) {
    CHECK(strand > last_strand);  // what is common comes last
    last_strand = strand;
    CHECK(part.packet.header == header);
    CHECK(part.peer == "b");
    CHECK(part.bytes == bytes);
    int last = -1;
    for (const Message& message : part.packet.messages) {
      CHECK(router.of_message(message) == strand);
      const auto* read = std::get_if<ReadRequest>(&message);
      if (read == nullptr) continue;
      const int number = static_cast<int>(read->operation);
      CHECK(number > last);
      last = number;
      CHECK(seen.insert(number).second);
    }
  }
  CHECK(seen.size() == 60);
  CHECK(last_strand == router.common());
  CHECK(parts.back().second.packet.messages.size() == 6);
}

TEST_CASE("strands: a packet for one strand stays whole, an odd one is common") {
  const int strand = router.of_key(key(1));
  std::vector<Message> messages;
  for (int i = 0; i < 100; ++i) {
    if (router.of_key(key(i)) == strand) messages.push_back(read_of(i));
  }
  const std::size_t count = messages.size();
  const auto parts = router.divide(opened(messages));
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].first == strand);
  CHECK(parts[0].second.packet.messages.size() == count);

  PacketOpened odd = opened(messages);
  odd.packet.unknown = 1;  // somebody has to say so
  CHECK(router.divide(std::move(odd)).at(0).first == router.common());
  const auto none = router.divide(opened({}));  // it says that its sender is there
  REQUIRE(none.size() == 1);
  CHECK(none[0].first == router.common());
}

TEST_CASE("strands: each hears of what it has written") {
  BatchWritten written;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    for (std::uint64_t strand = 0; strand <= strands; ++strand) {
      if (strand != 1) written.writes.push_back(64 * i + strand);
    }
  }
  std::map<int, std::size_t> counts;
  for (const auto& [strand, part] : router.divide(written)) {
    counts[strand] = part.writes.size();
    for (const std::uint64_t write : part.writes) CHECK(router.of_number(write) == strand);
  }
  CHECK(counts == std::map<int, std::size_t>{{0, 20}, {2, 20}, {3, 20}});
}

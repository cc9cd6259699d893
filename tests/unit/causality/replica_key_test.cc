#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/coding.h"
#include "catch.hpp"
#include "causality/replica_key.h"

namespace {

using dynamo::ActorId;
using dynamo::Dot;
using dynamo::core::ActorSource;
using dynamo::core::Conflict;
using dynamo::core::Decoder;
using dynamo::core::Encoder;
using dynamo::core::History;
using dynamo::core::PutRequest;
using dynamo::core::ReplicaKey;
using dynamo::core::VersionSet;

constexpr auto siblings = Conflict::keep_siblings;
constexpr std::uint64_t counter_max = std::numeric_limits<std::uint64_t>::max();

// One node and its record of the key, and the ids that its puts get.
struct Node {
  explicit Node(std::uint64_t of_boot) : boot(of_boot), actors(of_boot) {}

  PutRequest request(const History& context, const std::string& object) {
    return {.context = context, .write_id = {.high = boot, .low = ++writes}, .object = object};
  }
  Dot put(const History& context, const std::string& object) {
    return key.put(request(context, object), siblings, actors);
  }
  // As a client sees it: returns the context of the put.
  History put_as_client(const History& context, const std::string& object) {
    History after = context;
    after.add(put(context, object));
    return after;
  }
  std::vector<std::string> objects() const {
    std::vector<std::string> objects;
    for (const auto& version : key.set.versions()) objects.push_back(*version.object);
    std::ranges::sort(objects);
    return objects;
  }

  std::uint64_t boot;
  ActorSource actors;
  ReplicaKey key{};
  std::uint64_t writes = 0;
};

using Objects = std::vector<std::string>;

// Leaves all with what any had.
void exchange(std::array<Node, 3>& nodes) {
  for (const Node& from : nodes) {
    for (Node& to : nodes) to.key.merge(from.key.set, siblings);
  }
}

// The history {actor: counter}, as a forger or a peer of another life could send it.
History claimed(const ActorId& actor, std::uint64_t counter) {
  std::string bytes;
  Encoder out(bytes);
  out.varint(1);
  out.fixed64(actor.boot);
  out.varint(actor.sequence);
  out.varint(counter);
  out.varint(0);
  Decoder in(bytes);
  History history = History::decode(in);
  REQUIRE(in.done());
  return history;
}

VersionSet set_with(const History& history) {
  std::string bytes;
  Encoder out(bytes);
  history.encode(out);
  out.varint(0);
  Decoder in(bytes);
  VersionSet set = VersionSet::decode(in);
  REQUIRE(in.done());
  return set;
}

TEST_CASE("a record goes on under its name while nothing can have been forgotten") {
  Node node(7);
  const Dot first = node.put({}, "one");
  const Dot second = node.put({}, "two");
  CHECK(first.counter == 1);
  CHECK(second == Dot{first.actor, 2});
  node.key.merge(node.key.set, siblings);
  CHECK(node.put(node.key.set.history(), "three") == Dot{first.actor, 3});
}

TEST_CASE("a record takes a new name when it comes into being") {
  Node node(7);
  const Dot first = node.put({}, "one");
  const VersionSet old = node.key.set;

  node.key = {};
  CHECK(node.put({}, "by put").actor != first.actor);

  node.key = {};
  CHECK(node.key.merge(old, siblings));
  CHECK(node.put({}, "by merge").actor != first.actor);
}

TEST_CASE("a record takes a new name at its first write after every open") {
  Node node(7);
  const Dot first = node.put({}, "one");
  node.actors = ActorSource(8);
  const Dot second = node.put({}, "two");
  CHECK(second.actor.boot == 8);
  CHECK(second.counter == 1);
  CHECK(node.put({}, "three") == Dot{second.actor, 2});
  CHECK(first.actor.boot == 7);
}

TEST_CASE("every record takes a new name after a local write failed") {
  Node node(7);
  const Dot first = node.put({}, "one");
  ReplicaKey other;
  const Dot elsewhere = other.put(node.request({}, "x"), siblings, node.actors);
  CHECK(elsewhere.actor != first.actor);

  node.actors.distrust();
  const Dot second = node.put({}, "two");
  const Dot again = other.put(node.request({}, "y"), siblings, node.actors);
  CHECK(second.counter == 1);
  CHECK(again.counter == 1);
  CHECK(second.actor != again.actor);
  CHECK(node.put({}, "three") == Dot{second.actor, 2});
}

TEST_CASE("a record takes a new name when somebody remembers more of the old one") {
  Node node(7);
  const Dot first = node.put({}, "one");

  SECTION("a replica does, in its vector") {
    node.key.merge(set_with(claimed(first.actor, 4)), siblings);
    CHECK(node.key.actor == ActorId{});
    CHECK(node.put({}, "two").actor != first.actor);
  }
  SECTION("a replica does, beyond a gap") {
    History history;
    history.add({first.actor, 4});
    node.key.merge(set_with(history), siblings);
    CHECK(node.put({}, "two").actor != first.actor);
  }
  SECTION("a context does") {
    CHECK(node.put(claimed(first.actor, 4), "two").actor != first.actor);
  }
  SECTION("one that remembers as much changes nothing") {
    node.key.merge(set_with(claimed(first.actor, 1)), siblings);
    CHECK(node.put(claimed(first.actor, 1), "two") == Dot{first.actor, 2});
  }
}

// Names are in contexts for all to read, and sequences are easy to guess.
TEST_CASE("a forged counter of a name to come pins nothing") {
  Node node(7);
  const Dot first = node.put({}, "one");
  const ActorId next = {.boot = 7, .sequence = first.actor.sequence + 1};

  SECTION("in a context") {
    node.actors.distrust();
    const std::uint64_t counter = GENERATE(std::uint64_t{1}, std::uint64_t{9}, counter_max);
    const History forged = claimed(next, counter);
    const Dot dot = node.put(forged, "two");
    CHECK_FALSE(forged.contains(dot));
    CHECK(dot.counter == 1);
    CHECK(node.put({}, "three") == Dot{dot.actor, 2});
    CHECK(node.put({}, "four") == Dot{dot.actor, 3});
  }
  SECTION("in a set of a replica") {
    node.key.merge(set_with(claimed(next, counter_max)), siblings);
    node.actors.distrust();
    const Dot dot = node.put({}, "two");
    CHECK(dot.actor != next);
    CHECK(dot.counter == 1);
    CHECK(node.objects() == Objects{"one", "two"});
  }
}

TEST_CASE("a write that the record holds keeps its dot") {
  Node node(7);
  const PutRequest request = node.request({}, "one");
  const Dot dot = node.key.put(request, siblings, node.actors);
  node.put({}, "two");
  const VersionSet before = node.key.set;
  CHECK(node.key.put(request, siblings, node.actors) == dot);
  CHECK(node.key.set == before);
  // Also where it arrived by replication, and under no name of this node.
  Node other(8);
  other.key.merge(before, siblings);
  CHECK(other.key.put(request, siblings, other.actors) == dot);
  CHECK(other.key.set == before);
}

TEST_CASE("a write that two coordinators took is replaced under both dots") {
  Node one(7);
  Node two(8);
  const PutRequest request = one.request({}, "twice");
  one.key.put(request, siblings, one.actors);
  two.key.put(request, siblings, two.actors);
  one.key.merge(two.key.set, siblings);
  REQUIRE(one.key.set.versions().size() == 2);
  one.put(one.key.set.history(), "once");
  two.key.merge(one.key.set, siblings);
  CHECK(two.objects() == Objects{"once"});
}

TEST_CASE("merge says whether anything changed") {
  Node one(7);
  Node two(8);
  CHECK_FALSE(two.key.merge({}, siblings));
  one.put({}, "one");
  CHECK(two.key.merge(one.key.set, siblings));
  CHECK_FALSE(two.key.merge(one.key.set, siblings));
  // News of history alone are news.
  CHECK(two.key.merge(set_with(claimed({.boot = 9, .sequence = 1}, 1)), siblings));
}

// With a plain vector, y's context would be {actor: 2} and would claim x.
TEST_CASE("the context of a put erases no sibling that it did not see") {
  Node node(7);
  const History x = node.put_as_client({}, "x");
  const History y = node.put_as_client({}, "y");
  CHECK(y.clock().empty());
  CHECK(y.dots().size() == 1);

  const History y2 = node.put_as_client(y, "y2");
  CHECK(node.objects() == Objects{"x", "y2"});
  node.put_as_client(y2, "y3");
  CHECK(node.objects() == Objects{"x", "y3"});
  node.put_as_client(x, "x2");
  CHECK(node.objects() == Objects{"x2", "y3"});
  node.put_as_client(node.key.set.history(), "both");
  CHECK(node.objects() == Objects{"both"});
}

// Trap A1.
TEST_CASE("two clients that interleave read, resolve and write leave two siblings at most") {
  std::array<Node, 3> nodes = {Node(7), Node(8), Node(9)};
  std::array<History, 2> contexts;
  for (std::size_t round = 0; round < 100; ++round) {
    for (std::size_t client = 0; client < 2; ++client) {
      // What it read after its own last write, and before the other's.
      Node& node = nodes[(round + client) % nodes.size()];
      node.put(contexts[client], "client " + std::to_string(client));
      exchange(nodes);
      contexts[client] = node.key.set.history();
      REQUIRE(node.key.set.versions().size() <= 2);
    }
  }
  CHECK(nodes[0].key.set.versions().size() == 2);
}

TEST_CASE("writers that go on from their own puts stay as many as they are") {
  constexpr std::size_t writers = 5;
  std::array<Node, 3> nodes = {Node(7), Node(8), Node(9)};
  std::array<History, writers> contexts;
  for (std::size_t round = 0; round < 50; ++round) {
    for (std::size_t writer = 0; writer < writers; ++writer) {
      Node& node = nodes[(round + writer) % nodes.size()];
      contexts[writer] = node.put_as_client(contexts[writer], std::to_string(writer));
      if (round % 3 == 0) exchange(nodes);
    }
    exchange(nodes);
    REQUIRE(nodes[round % 3].objects() == Objects{"0", "1", "2", "3", "4"});
  }
}

}  // namespace

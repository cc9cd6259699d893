// Owners that differ become equal without anybody reading.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "catch.hpp"
#include "node/cluster_status.h"
#include "node/exchange_rounds.h"
#include "unit/node/machine_cluster.h"
#include "unit/node/replica_sets.h"
#include "wire/codec.h"

using namespace dynamo::core;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::MachineCluster;

namespace {

const std::vector<std::string> abc = {"a", "b", "c"};

void damage(MachineCluster& cluster, const std::string& node, const std::string& key) {
  std::string& record = cluster.node(node).engine.at(cluster.object_key(key));
  record[record.size() / 2] = static_cast<char>(record[record.size() / 2] ^ 1);
}

// Puts at a and b that c does not hear of, and one at c that they do not hear of.
void diverge(MachineCluster& cluster) {
  for (int i = 0; i < 50; ++i) REQUIRE(cluster.put_now("b", fmt::format("k{}", i), "x").ok());
  cluster.node("c").up = false;
  for (int i = 0; i < 20; ++i) {
    cluster.put("a", fmt::format("k{}", 3 * i), "newer", {.w = 1});
    cluster.put("a", fmt::format("new{}", i), "new", {.w = 1});
    cluster.run();
  }
  cluster.node("c").up = true;
  cluster.put("c", "k0", "sibling", {.w = 1});
  cluster.packets.clear();
  cluster.run();
  REQUIRE_FALSE(test::all_equal(cluster, abc));
}

}  // namespace

TEST_CASE("anti-entropy: await_converged makes all owners equal, whoever asks") {
  const std::string at = GENERATE("a", "b", "c");
  MachineCluster cluster(abc);
  diverge(cluster);
  const std::uint64_t request = cluster.converge(at, seconds(10));
  cluster.advance(seconds(3));
  CHECK(cluster.converged(request).ok());
  CHECK(test::all_equal(cluster, abc));
  CHECK(test::sets_of(cluster.node("a")).size() == 73);
  CHECK(cluster.objects("c", "k0") == std::vector<std::string>{"newer", "sibling", "x"});
  for (const std::string& name : abc) {
    CHECK(cluster.state(name).trees.trees_corrected() == 0);
    CHECK(test::trees_match(cluster, name, 16) == 16);
  }
}

TEST_CASE("anti-entropy: a node that owns nothing of what differs asks the owners") {
  MachineCluster cluster({"a", "b", "c", "d", "e"});
  const std::string key = cluster.key_not_owned_by("a");
  const std::vector<std::string> owners = cluster.owners(key);
  cluster.node(owners[2]).up = false;
  REQUIRE(cluster.put_now("a", key, "x").ok());
  cluster.node(owners[2]).up = true;
  REQUIRE_FALSE(test::sets_of(cluster.node(owners[2])).contains(key));
  const std::uint64_t request = cluster.converge("a", seconds(10));
  cluster.advance(seconds(3));
  CHECK(cluster.converged(request).ok());
  CHECK(test::sets_of(cluster.node(owners[2])).contains(key));
}

TEST_CASE("anti-entropy: with a member down, await_converged ends late and names it") {
  MachineCluster cluster(abc);
  diverge(cluster);
  cluster.node("c").up = false;
  const std::uint64_t request = cluster.converge("a", seconds(5));
  cluster.advance(seconds(6));
  const absl::Status status = cluster.converged(request);
  CHECK(absl::IsDeadlineExceeded(status));
  INFO(status.ToString());
  CHECK(std::string(status.message()).find("c is unreachable: silent for") != std::string::npos);

  // What it asked for goes on: once c is back, the next one is quick.
  cluster.node("c").up = true;
  const std::uint64_t again = cluster.converge("a", seconds(10));
  cluster.advance(seconds(4));
  CHECK(cluster.converged(again).ok());
  CHECK(test::all_equal(cluster, abc));
}

TEST_CASE("anti-entropy: all of it travels on the bulk lane, and nothing else does") {
  MachineCluster cluster(abc);
  diverge(cluster);
  const std::uint64_t request = cluster.converge("a", seconds(10));
  int bulk = 0;
  for (int i = 0; i < 500 && !cluster.finished(request); ++i) {
    for (const std::string& name : abc) {
      cluster.step(name, Tick{});
      cluster.sync(name);
    }
    for (const MachineCluster::Sent& sent : cluster.packets) {
      for (const Message& message : sent.packet.messages) {
        const std::uint8_t type = message_type(message);
        const bool exchange =
            type >= message_type(TreeRequest{}) && type <= message_type(SetsReply{});
        CHECK(exchange == (sent.lane == dynamo::Lane::bulk));
        bulk += exchange ? 1 : 0;
      }
    }
    cluster.deliver();
    cluster.now.steady += milliseconds(10);
  }
  CHECK(cluster.converged(request).ok());
  CHECK(bulk > 50);
}

TEST_CASE("anti-entropy: large records are listed a few at a time") {
  MachineCluster cluster(abc, {.partitions = 2});
  for (int i = 0; i < 30; ++i) {
    REQUIRE(cluster.put_now("a", fmt::format("k{}", i), std::string(500'000, 'x')).ok());
  }
  const auto object = [](const auto& entry) { return is_kind(entry.first, RecordKind::object); };
  std::erase_if(cluster.node("c").engine, object);
  cluster.restart("c");
  const std::uint64_t request = cluster.converge("b", seconds(20));
  cluster.advance(seconds(5));
  CHECK(cluster.converged(request).ok());
  CHECK(test::all_equal(cluster, abc));
  CHECK(test::sets_of(cluster.node("c")).size() == 30);
}

TEST_CASE("anti-entropy: lost packets delay it, no more") {
  MachineCluster cluster(abc);
  diverge(cluster);
  const std::uint64_t request = cluster.converge("a", seconds(120));
  int count = 0;
  cluster.loses = [&](const MachineCluster::Sent&) { return ++count % 97 == 0; };
  for (int i = 0; i < 12'000 && !cluster.finished(request); ++i) cluster.advance(milliseconds(10));
  CHECK(count > 97);
  CHECK(cluster.converged(request).ok());
  CHECK(test::all_equal(cluster, abc));
}

namespace {

// Virtual time until await_converged() has ended, with one packet of that kind lost.
template <class Message>
milliseconds time_with_one_lost() {
  MachineCluster cluster(abc);
  diverge(cluster);
  bool lost = false;
  cluster.loses = [&](const MachineCluster::Sent& sent) {
    return !lost && test::holds<Message>(sent) && !std::exchange(lost, true);
  };
  const std::uint64_t request = cluster.converge("a", seconds(120));
  milliseconds took{};
  while (!cluster.finished(request) && took < seconds(120)) {
    cluster.advance(milliseconds(10));
    took += milliseconds(10);
  }
  REQUIRE(lost);
  CHECK(cluster.converged(request).ok());
  CHECK(test::all_equal(cluster, abc));
  return took;
}

}  // namespace

// Whoever waited for an answer that was lost without anybody having failed waited for half a
// minute.
TEST_CASE("anti-entropy: a question whose answer is lost is soon asked again") {
  CHECK(time_with_one_lost<TreeRequest>() < seconds(5));
  CHECK(time_with_one_lost<TreeReply>() < seconds(5));
  CHECK(time_with_one_lost<SetsReply>() < seconds(5));
}

TEST_CASE("anti-entropy: a peer that takes long to answer is asked again a few times only") {
  MachineCluster cluster(abc);
  diverge(cluster);
  std::map<std::uint32_t, int> asked;  // by partition
  cluster.loses = [&](const MachineCluster::Sent& sent) {
    if (sent.from == "b") return test::holds<TreeReply>(sent);  // waits for a disk, say
    for (const Message& message : sent.packet.messages) {
      const auto* request = std::get_if<TreeRequest>(&message);
      if (sent.from == "a" && sent.to == "b" && request != nullptr) {
        ++asked[request->scope.partition];
      }
    }
    return false;
  };
  const std::uint64_t request = cluster.converge("a", seconds(29));
  while (!cluster.finished(request)) cluster.advance(milliseconds(10));
  CHECK_FALSE(cluster.converged(request).ok());
  REQUIRE_FALSE(asked.empty());
  for (const auto& [partition, times] : asked) {
    CHECK(times >= 2);
    CHECK(times <= 4);
  }
}

TEST_CASE("anti-entropy: in the background, a peer that comes back is repaired") {
  MachineCluster cluster(abc);
  cluster.advance(seconds(20));  // the rounds after the start
  diverge(cluster);
  cluster.node("c").up = false;
  cluster.advance(seconds(5));
  cluster.node("c").up = true;
  cluster.advance(seconds(10));
  CHECK(test::all_equal(cluster, abc));
}

TEST_CASE("anti-entropy: the repair horizon follows the rounds, and stands while a peer is down") {
  MachineCluster cluster(abc);
  cluster.put_now("a", "k", "x").IgnoreError();
  const auto horizon = [&] {
    return cluster_status(cluster.state("a"), cluster.now).repair_horizon;
  };
  cluster.advance(seconds(20));
  CHECK(horizon() <= seconds(20));
  const std::uint64_t request = cluster.converge("a", seconds(10));
  cluster.advance(seconds(1));
  REQUIRE(cluster.converged(request).ok());
  cluster.node("c").up = false;
  cluster.advance(seconds(30));
  CHECK(horizon() >= seconds(30));
  cluster.node("c").up = true;
  const std::uint64_t back = cluster.converge("b", seconds(10));
  cluster.advance(seconds(10));
  REQUIRE(cluster.converged(back).ok());
  CHECK(horizon() <= seconds(10));
  CHECK(cluster_status(cluster.state("a"), cluster.now).notes.empty());
}

TEST_CASE("anti-entropy: a damaged record is refused, then brought back from its peers") {
  MachineCluster cluster(abc);
  for (int i = 0; i < 20; ++i) REQUIRE(cluster.put_now("a", fmt::format("k{}", i), "x").ok());
  cluster.advance(seconds(1));
  damage(cluster, "a", "k7");

  const auto got = cluster.get_now("b", "k7", {.r = 3});
  REQUIRE_FALSE(got.ok());
  INFO(got.status().ToString());
  CHECK(std::string(got.status().message()).find("damaged") != std::string::npos);
  CHECK(cluster_status(cluster.state("a"), cluster.now).damaged_records == 1);

  const std::uint64_t request = cluster.converge("b", seconds(10));
  cluster.advance(seconds(3));
  CHECK(cluster.converged(request).ok());
  CHECK(cluster.objects("a", "k7") == std::vector<std::string>{"x"});
  CHECK(test::all_equal(cluster, abc));
  CHECK(cluster_status(cluster.state("a"), cluster.now).damaged_records == 0);
  // What was forgotten is not spoken of again under the same name (trap A3).
  REQUIRE(cluster.put_now("a", "k7", "y").ok());
  CHECK(cluster.objects("c", "k7") == std::vector<std::string>{"x", "y"});
}

TEST_CASE("anti-entropy: rot that nobody reads is found by the scrub and healed") {
  MachineCluster cluster(abc);
  for (int i = 0; i < 20; ++i) REQUIRE(cluster.put_now("a", fmt::format("k{}", i), "x").ok());
  cluster.advance(seconds(1));
  damage(cluster, "b", "k3");
  cluster.now.steady += RecordTrees::scrub_rest;
  cluster.advance(seconds(25));
  const std::uint64_t request = cluster.converge("a", seconds(10));
  cluster.advance(seconds(3));
  CHECK(cluster.converged(request).ok());
  CHECK(test::all_equal(cluster, abc));
  CHECK(test::sets_of(cluster.node("b")).size() == 20);
}

TEST_CASE("anti-entropy: whoever is in an older view goes on before it compares") {
  MachineCluster cluster(abc);
  diverge(cluster);
  dynamo::View later = cluster.view();
  later.number = 2;
  cluster.step("c", ViewChanged{later});
  const std::uint64_t request = cluster.converge("a", seconds(3));
  cluster.advance(seconds(4));
  CHECK(cluster.converged(request).ok());
  CHECK(test::all_equal(cluster, abc));
  for (const std::string& name : abc) {
    CHECK(cluster.node(name).machine->state().view.number == 2);
    CHECK(cluster.node(name).machine->state().stored_view == 2);
  }
}

TEST_CASE("anti-entropy: a disk that takes nothing makes a round fail, and nothing wrong") {
  MachineCluster cluster(abc);
  diverge(cluster);
  const std::uint64_t request = cluster.converge("a", seconds(20));
  for (int i = 0; i < 100; ++i) {
    cluster.deliver();
    cluster.now.steady += milliseconds(10);
    for (const std::string& name : abc) {
      cluster.step(name, Tick{});
      if (name == "c") {
        cluster.fail_writes(name, absl::ResourceExhaustedError("disk full"));
      } else {
        cluster.sync(name);
      }
    }
    REQUIRE(test::trees_match(cluster, "c", 16) >= 0);
  }
  CHECK_FALSE(cluster.finished(request));
  CHECK_FALSE(test::all_equal(cluster, abc));
  cluster.advance(seconds(5));
  CHECK(cluster.converged(request).ok());
  CHECK(test::all_equal(cluster, abc));
}

TEST_CASE("anti-entropy: await_converged can be cancelled") {
  MachineCluster cluster(abc);
  cluster.node("c").up = false;
  const std::uint64_t request = cluster.converge("a", seconds(10));
  cluster.step("a", Cancel{request});
  CHECK(absl::IsCancelled(cluster.converged(request)));
}

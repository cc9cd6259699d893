#include "node/record_trees.h"

#include <string>

#include <fmt/format.h>

#include "base/prng.h"
#include "catch.hpp"
#include "unit/node/machine_cluster.h"
#include "unit/node/replica_sets.h"

using namespace dynamo::core;
using std::chrono::milliseconds;
using test::MachineCluster;

namespace {

constexpr int partitions = 16;  // MachineCluster's default

}  // namespace

TEST_CASE("record trees: no tree is shown before the first walk has passed it") {
  MachineCluster cluster({"a"});
  cluster.store.n = 1;
  CHECK(test::trees_match(cluster, "a", partitions) == 0);
  cluster.advance(milliseconds(10));
  CHECK(cluster.state("a").trees.complete());
  CHECK(test::trees_match(cluster, "a", partitions) == partitions);
}

TEST_CASE("record trees: they say what the records say, whatever is written, lost or restarted") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    MachineCluster cluster({"a"});
    cluster.store.n = 1;
    std::vector<dynamo::Context> contexts(40);
    for (int i = 0; i < 300; ++i) {
      const std::size_t key = prng.below(contexts.size());
      const std::uint64_t put =
          cluster.put("a", fmt::format("k{}", key), "x", {.context = contexts[key], .w = 1});
      switch (prng.below(8)) {
        case 0:
          cluster.fail_writes("a", absl::ResourceExhaustedError("disk full"));
          break;
        case 1:
          cluster.restart("a");
          break;
        case 2:
          cluster.advance(milliseconds(10));  // a chunk of a walk, if one is due
          break;
        case 3:
          cluster.now.steady += RecordTrees::scrub_rest;
          cluster.step("a", Tick{});
          break;
        default:
          if (prng.chance(0.5)) cluster.run();
      }
      if (cluster.finished(put) && cluster.done(put).ok()) {
        contexts[key] = cluster.done(put)->context;
      }
      REQUIRE(test::trees_match(cluster, "a", partitions) >= 0);
    }
    cluster.run();
    cluster.advance(milliseconds(100));
    CHECK(test::trees_match(cluster, "a", partitions) == partitions);
    CHECK(cluster.state("a").trees.trees_corrected() == 0);
  }
}

TEST_CASE("record trees: a walk over many records goes on in chunks, and writes go on meanwhile") {
  MachineCluster cluster({"a"});
  cluster.store.n = 1;
  for (int i = 0; i < 3000; ++i) cluster.put("a", fmt::format("k{}", i), "x", {.w = 1});
  cluster.run();
  cluster.restart("a");
  int ticks = 0;
  while (!cluster.state("a").trees.complete()) {
    cluster.now.steady += RecordTrees::pause;
    cluster.step("a", Tick{});
    ++ticks;
    cluster.put("a", fmt::format("k{}", 37 * ticks), "y", {.w = 1});
    cluster.put("a", fmt::format("new{}", ticks), "y", {.w = 1});
    if (ticks % 2 == 0) cluster.run();
    REQUIRE(test::trees_match(cluster, "a", partitions) >= 0);
    REQUIRE(ticks < 100);
  }
  CHECK(ticks > 5);
  CHECK(test::trees_match(cluster, "a", partitions) == partitions);
}

TEST_CASE("record trees: the scrub finds rot, and the tree loses what cannot be read") {
  MachineCluster cluster({"a"});
  cluster.store.n = 1;
  for (int i = 0; i < 100; ++i) cluster.put("a", fmt::format("k{}", i), "x", {.w = 1});
  cluster.run();
  cluster.advance(milliseconds(20));
  REQUIRE(cluster.state("a").trees.complete());
  std::string& record = cluster.node("a").engine.at(cluster.object_key("k7"));
  record[record.size() / 2] = static_cast<char>(record[record.size() / 2] ^ 1);
  const std::uint64_t walks = cluster.state("a").trees.walks();
  cluster.now.steady += RecordTrees::scrub_rest;
  for (int i = 0; i < 10 && cluster.state("a").trees.walks() == walks; ++i) {
    cluster.now.steady += RecordTrees::scrub_pause;
    cluster.step("a", Tick{});
  }
  CHECK(cluster.state("a").trees.damaged_records() == 1);
  CHECK(test::trees_match(cluster, "a", partitions) == partitions);
  CHECK(cluster.state("a").trees.trees_corrected() == 0);
}

// Found by seed 881291 of the simulator. A node that has a record in memory goes on reading it
// there when the disk has lost it.
TEST_CASE("record trees: a write of a record that only the disk has lost counts from nothing") {
  MachineCluster cluster({"a"});
  cluster.store.n = 1;
  for (int i = 0; i < 100; ++i) cluster.put("a", fmt::format("k{}", i), "x", {.w = 1});
  cluster.run();
  cluster.advance(milliseconds(20));
  REQUIRE(cluster.state("a").trees.complete());
  std::string& record = cluster.node("a").engine.at(cluster.object_key("k7"));
  const std::string in_memory = record;
  record.back() = static_cast<char>(record.back() ^ 1);
  cluster.now.steady += RecordTrees::scrub_rest;
  for (int i = 0; i < 10 && cluster.state("a").trees.damaged_records() == 0; ++i) {
    cluster.now.steady += RecordTrees::scrub_pause;
    cluster.step("a", Tick{});
  }
  REQUIRE(cluster.state("a").trees.damaged_records() == 1);
  cluster.advance(milliseconds(100));
  cluster.node("a").engine.at(cluster.object_key("k7")) = in_memory;
  REQUIRE(cluster.put_now("a", "k7", "y", {.w = 1}).ok());
  CHECK(cluster.state("a").trees.damaged_records() == 0);
  cluster.advance(milliseconds(100));
  CHECK(test::trees_match(cluster, "a", partitions) == partitions);
}

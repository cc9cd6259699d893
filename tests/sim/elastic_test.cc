// Nodes come and go under load: no acknowledged write is lost, and with strict quorums no read
// misses one. DYNAMO_SEED=<n> runs that seed alone, DYNAMO_SEEDS=<n> so many.

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>
#include <fmt/format.h>

#include "base/prng.h"
#include "catch.hpp"
#include "testing/sim_world.h"
#include "workload.h"

using dynamo::testing::SimCluster;
using namespace std::chrono_literals;

namespace {

void after(SimCluster& cluster, std::chrono::nanoseconds delay, absl::AnyInvocable<void()> what) {
  dynamo::testing::SimScheduler& scheduler = cluster.world().context().scheduler();
  scheduler.schedule(scheduler.after(delay), std::move(what));
}

void leave(SimCluster& cluster, int node) {
  cluster.node(node).async_leave(10min, [](const absl::Status& status) {
    if (!status.ok()) FAIL(status.ToString());
  });
}

bool no_moves(SimCluster& cluster) { return cluster.world().latest_view().moves.empty(); }

dynamo::MemberState state_of(SimCluster& cluster, const std::string& name) {
  for (const dynamo::Member& member : cluster.world().latest_view().members) {
    if (member.name == name) return member.state;
  }
  return dynamo::MemberState::joining;
}

std::pair<std::uint64_t, std::uint64_t> seeds(std::uint64_t last) {
  if (const char* seed = std::getenv("DYNAMO_SEED")) return {std::stoull(seed), std::stoull(seed)};
  if (const char* count = std::getenv("DYNAMO_SEEDS")) last = std::stoull(count);
  return {1, last};
}

}  // namespace

TEST_CASE("a cluster grows from one node to three and five, and shrinks to three") {
  SimCluster cluster({.nodes = 1, .node = {.partitions = 32}});
  const auto put_some = [&](int node, const std::string& prefix, int w) {
    const dynamo::Store store = cluster.open(node, "carts", {.quorum = {3, 1, 1}}).value();
    for (int i = 0; i < 40; ++i) {
      const auto put = store.put(fmt::format("{}{}", prefix, i), {}, "x", {.w = w});
      REQUIRE(put.status() == absl::OkStatus());
    }
  };
  const auto all_there = [&](int node, const std::string& prefix, int r) {
    const dynamo::Store store =
        cluster.open(node, "carts", {.quorum = {3, 1, 1}, .sloppy = false}).value();
    for (int i = 0; i < 40; ++i) {
      const auto got = store.get(fmt::format("{}{}", prefix, i), {.r = r});
      REQUIRE(got.status() == absl::OkStatus());
      CHECK(got->found());
    }
  };
  const auto settled = [&] { return cluster.converged(); };
  put_some(0, "first", 1);
  CHECK(cluster.add() == 1);
  CHECK(cluster.add() == 2);
  REQUIRE(cluster.run_until([&] { return cluster.node(0).status().members.size() == 3; }, 1min));
  all_there(0, "first", 2);
  put_some(0, "second", 2);
  const bool grown = cluster.run_until(settled, 5min);
  INFO(cluster.world().not_converged());
  REQUIRE(grown);
  put_some(1, "third", 3);
  all_there(2, "first", 2);
  cluster.add();
  cluster.add();
  put_some(2, "fourth", 2);
  REQUIRE(cluster.run_until([&] { return cluster.node(2).status().members.size() == 5; }, 1min));
  REQUIRE(cluster.run_until(settled, 5min));
  all_there(4, "second", 2);
  cluster.run_for(10s);
  for (int i = 0; i < 5; ++i) {
    const dynamo::ClusterStatus status = cluster.node(i).status();
    CHECK(status.moves == 0);
    INFO(fmt::format("{}", fmt::join(status.notes, "; ")));
    CHECK(status.notes.empty());
  }
  CHECK(cluster.node(0).leave(5min) == absl::OkStatus());
  CHECK(cluster.node(1).leave(5min) == absl::OkStatus());
  CHECK(cluster.open(0, "carts").status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(cluster.run_until(settled, 5min));
  CHECK(state_of(cluster, "a") == dynamo::MemberState::left);
  for (const char* prefix : {"first", "second", "third", "fourth"}) {
    all_there(2, prefix, 2);
    all_there(4, prefix, 1);
  }
}

// riak_kv#1754: two join and one leaves while clients write, and reads missed what had been
// acknowledged, or it was lost.
TEST_CASE("two join and one leaves, and no read misses an acknowledged write") {
  const auto [first, last] = seeds(60);
  int acknowledged = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("DYNAMO_SEED=" << seed);
    SimCluster cluster({.nodes = 5, .seed = seed, .node = {.partitions = 16}});
    dynamo::core::Prng prng(seed);
    const auto soon = [&] { return std::chrono::milliseconds(prng.below(400)); };
    Workload workload(cluster, seed, 400);
    after(cluster, soon(), [&] { cluster.add(); });
    after(cluster, soon(), [&] { cluster.add(); });
    after(cluster, soon(), [&] { leave(cluster, 4); });
    const std::vector<std::string> broken = workload.run();
    for (const std::string& rule : broken) UNSCOPED_INFO(rule);
    REQUIRE(broken.empty());
    acknowledged += workload.acknowledged();
    const bool settled = cluster.run_until(
        [&] { return state_of(cluster, "e") == dynamo::MemberState::left && no_moves(cluster); },
        5min);
    INFO(cluster.world().not_converged());
    REQUIRE(settled);
    CHECK(cluster.world().latest_view().members.size() == 7);
    REQUIRE(cluster.run_until([&] { return cluster.converged(); }, 5min));
  }
  CHECK(acknowledged > 50 * static_cast<int>(last - first + 1));
}

// Seed 42 of the campaign: the disk of an owner was full when the view came, and it never tried
// again to store that view; so it answered no comparison of what moved, for ever.
TEST_CASE("a move goes on once the disk of an owner is not full any more") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  const dynamo::Store store = cluster.open(0, "carts").value();
  REQUIRE(store.put("k", {}, "x").status() == absl::OkStatus());
  cluster.world().storage(1).set_full(true);
  cluster.add();
  REQUIRE(cluster.run_until([&] { return !no_moves(cluster); }, 1min));
  cluster.run_for(20s);
  CHECK(!no_moves(cluster));
  cluster.world().storage(1).set_full(false);
  CHECK(cluster.run_until([&] { return cluster.converged(); }, 1min));
}

// The last write of a drain met a full disk, and there was no other.
TEST_CASE("a node drains once its disk is not full any more") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  cluster.world().storage(1).set_full(true);
  absl::Status drained = absl::UnknownError("not yet");
  cluster.node(1).async_drain(10min, [&](const absl::Status& status) { drained = status; });
  cluster.run_for(10s);
  CHECK(absl::IsUnknown(drained));
  cluster.world().storage(1).set_full(false);
  cluster.run_for(10s);
  CHECK(drained == absl::OkStatus());
}

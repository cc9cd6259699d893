// A node that has lost its disk comes back under its name: it says nothing of what it owned until
// it has got it back, and the disk that it had before stays out for ever.

#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "catch.hpp"
#include "node/engine_keys.h"
#include "node/generations.h"
#include "node/record.h"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::Store;
using dynamo::StoreOptions;
using dynamo::testing::SimCluster;
using namespace std::chrono_literals;

namespace {

const StoreOptions carts{.quorum = {.n = 3, .r = 2, .w = 2}, .timeout = 500ms};

std::string key(int i) { return "k" + std::to_string(i); }

void fill(const Store& store, int count) {
  for (int i = 0; i < count; ++i) REQUIRE(store.put(key(i), Context(), "book", {.w = 3}).ok());
}

// Of node 2; by the time that it is back the others miss it.
void replace_disk(SimCluster& cluster) {
  cluster.wipe(2);
  cluster.run_for(5s);
  cluster.restart(2);
}

}  // namespace

TEST_CASE("a wiped node gets back all that it owned") {
  SimCluster cluster({.nodes = 5, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  fill(store, 200);
  replace_disk(cluster);
  CHECK(cluster.run_until([&] { return cluster.converged(); }, 2min));
  const auto rebuilt = [&] {
    const std::string record = cluster.disk_of(2).records.at(dynamo::core::generation_key());
    return !dynamo::core::decode_generation(record)->rebuilding;
  };
  CHECK(cluster.run_until(rebuilt, 1min));
  const Store own = cluster.open(2, "carts", carts).value();
  for (int i = 0; i < 200; ++i) CHECK(own.get(key(i), {.r = 3})->object() == "book");
}

TEST_CASE("an owner that is being rebuilt does not say that there is nothing") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  REQUIRE(store.put("k", Context(), "book", {.w = 3}).ok());
  replace_disk(cluster);
  // It is let in by a majority. Then that one is away without which what it lost cannot be
  // complete.
  REQUIRE(cluster.run_until([&] { return cluster.node(2).status().view > 1; }, 20s));
  cluster.crash(1);
  cluster.run_for(10s);
  const auto got = store.get("k", {.r = 2});
  CHECK_THAT(got.status().ToString(), test::ContainsSubstring("c: refused: rebuilding"));
  CHECK(store.get("k", {.r = 1})->object() == "book");
  // It takes writes meanwhile.
  CHECK(store.put("new", Context(), "pen", {.w = 2}).ok());
  cluster.restart(1);
  CHECK(cluster.run_until([&] { return store.get("k", {.r = 3}).ok(); }, 60s));
}

// It used to end while that node still refused reads, for up to half a second.
TEST_CASE("await_converged waits for a node that is being rebuilt") {
  const int asked = GENERATE(0, 2);
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  fill(store, 20);
  replace_disk(cluster);
  const absl::Status converged = cluster.node(asked).await_converged(60s);
  INFO(converged.ToString());
  REQUIRE(converged.ok());
  for (int i = 0; i < 20; ++i) CHECK(store.get(key(i), {.r = 3})->object() == "book");
}

// It ended the process when the deadline of await_converged() came.
TEST_CASE("a node that has no view says so to every call") {
  SimCluster cluster({.nodes = 3});
  cluster.wipe(2);
  cluster.partition({{0, 1}, {2}});
  cluster.restart(2);
  dynamo::Node& node = cluster.node(2);
  const auto says_so = [](const absl::Status& status) {
    INFO(status.ToString());
    CHECK((absl::IsDeadlineExceeded(status) || absl::IsFailedPrecondition(status)));
    CHECK_THAT(status.ToString(), test::ContainsSubstring("no view of the cluster yet"));
  };
  const Store store = cluster.open(2, "carts", carts).value();
  says_so(store.get("k").status());
  says_so(store.put("k", Context(), "x").status());
  const std::vector<std::string_view> keys{"k"};
  says_so(store.get_many(keys).front().status());
  CHECK(store.preference_list("k").empty());
  CHECK(node.ring().partitions == 0);
  CHECK(node.status().view == 0);
  CHECK(node.can_stop());  // nobody counts on it
  says_so(node.await_converged(10s));
  CHECK(node.remove("a").message() == "this node is in no cluster yet");
  says_so(node.leave(2s));
  CHECK(node.drain(2s).ok());
}

TEST_CASE("a wiped node may be wiped again") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  fill(store, 50);
  for (int life = 0; life < 3; ++life) {
    replace_disk(cluster);
    CHECK(cluster.run_until([&] { return store.get("k0", {.r = 3}).ok(); }, 2min));
    CHECK(cluster.run_until([&] { return cluster.converged(); }, 2min));
  }
  cluster.run_for(10s);
  for (int i = 0; i < 50; ++i) CHECK(store.get(key(i), {.r = 3})->object() == "book");
}

TEST_CASE("the disk that was lost and found again stays out") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  REQUIRE(store.put("k", Context(), "book", {.w = 3}).ok());
  const auto lost = cluster.disk_of(2);
  replace_disk(cluster);
  CHECK(cluster.run_until([&] { return cluster.converged(); }, 2min));
  cluster.run_for(30s);
  cluster.restore_disk(2, lost);
  cluster.run_for(5s);
  cluster.restart(2);
  cluster.run_for(30s);
  std::string notes;
  for (const std::string& note : cluster.node(2).status().notes) notes += note + "\n";
  CHECK_THAT(notes, test::ContainsSubstring("another data directory that has taken the place"));
  CHECK(absl::IsFailedPrecondition(cluster.open(2, "carts", carts).status()));
}

TEST_CASE("an older copy of a disk that is adopted as new is emptied and gets everything back") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16, .adopt_as_new = true}});
  const Store store = cluster.open(0, "carts", carts).value();
  fill(store, 50);
  const auto copy = cluster.disk_of(2);
  cluster.crash(2);
  cluster.run_for(5s);
  cluster.restart(2);
  REQUIRE(cluster.run_until([&] { return cluster.converged(); }, 2min));
  for (int i = 0; i < 50; ++i) {
    REQUIRE(store.put(key(i), store.get(key(i))->context, "pen", {.w = 3}).ok());
  }
  cluster.restore_disk(2, copy);
  cluster.run_for(5s);
  cluster.restart(2);
  const auto serves = [&] { return cluster.open(2, "carts", carts).ok(); };
  REQUIRE(cluster.run_until(serves, 1min));
  CHECK(cluster.run_until([&] { return cluster.converged(); }, 2min));
  const Store own = cluster.open(2, "carts", carts).value();
  for (int i = 0; i < 50; ++i) {
    const auto all_three = [&] { return own.get(key(i), {.r = 3}).ok(); };
    CHECK(cluster.run_until(all_three, 1min));
    CHECK(own.get(key(i), {.r = 3})->object() == "pen");
  }
}

TEST_CASE("deletes that were dropped while a node was rebuilt stay dropped") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  for (int i = 0; i < 50; ++i) {
    const auto put = store.put(key(i), Context(), "book", {.w = 3});
    REQUIRE(put.ok());
    REQUIRE(store.erase(key(i), put->context).ok());
  }
  cluster.run_for(20s);
  cluster.wipe(2);
  cluster.run_for(20s);
  cluster.restart(2);
  const auto gone = [&] {
    for (int i = 0; i < 50; ++i) {
      for (int node = 0; node < 3; ++node) {
        if (cluster.world().record(node, "carts", key(i))->has_value()) return false;
      }
    }
    return true;
  };
  CHECK(cluster.run_until(gone, 10min));
  cluster.run_for(10min);
  CHECK(gone());
}

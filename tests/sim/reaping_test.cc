// Deletes go away in the end, everywhere, and nothing that was deleted comes back.

#include <algorithm>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "catch.hpp"
#include "node/engine_keys.h"
#include "node/generations.h"
#include "node/reaper.h"
#include "node/record.h"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::Store;
using dynamo::StoreOptions;
using dynamo::testing::SimCluster;
using namespace std::chrono_literals;

namespace {

const StoreOptions carts{.quorum = {.n = 3, .r = 2, .w = 2}, .timeout = 500ms};

// How many nodes have a record of the key, whatever is in it.
int records_of(SimCluster& cluster, const std::string& key) {
  int count = 0;
  for (int node = 0; node < cluster.size(); ++node) {
    count += cluster.world().record(node, "carts", key)->has_value() ? 1 : 0;
  }
  return count;
}

void put_and_erase(const Store& store, const std::string& key) {
  const auto put = store.put(key, Context(), "book");
  REQUIRE(put.ok());
  REQUIRE(store.erase(key, put->context).ok());
}

int index_of(SimCluster& cluster, const std::string& name) {
  for (int node = 0; node < cluster.size(); ++node) {
    if (dynamo::testing::SimWorld::name_of(node) == name) return node;
  }
  return -1;
}

}  // namespace

TEST_CASE("deletes are dropped on all owners, and what is written afterwards stays") {
  SimCluster cluster({.nodes = 5, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  for (int i = 0; i < 100; ++i) put_and_erase(store, "k" + std::to_string(i));
  REQUIRE(store.put("kept", Context(), "pen").ok());
  CHECK(records_of(cluster, "k7") == 3);
  const auto gone = [&] {
    for (int i = 0; i < 100; ++i) {
      if (records_of(cluster, "k" + std::to_string(i)) > 0) return false;
    }
    return true;
  };
  CHECK(cluster.run_until(gone, 5min));
  CHECK(records_of(cluster, "kept") == 3);
  CHECK(store.get("kept")->object() == "pen");
  const auto got = store.get("k7");
  REQUIRE(got.ok());
  CHECK_FALSE(got->found());
  REQUIRE(store.put("k7", got->context, "again").ok());
  CHECK(store.get("k7")->object() == "again");
  CHECK(cluster.run_until([&] { return cluster.converged(); }, 60s));
}

// Whoever waits for an answer does not wait for all of it.
TEST_CASE("many deletes are dropped a few at a time") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 8}});
  const Store store = cluster.open(0, "carts", carts).value();
  for (int i = 0; i < 500; ++i) put_and_erase(store, "k" + std::to_string(i));
  std::size_t most = 0;
  std::size_t dropped = 0;
  cluster.world().journal().observe_steps(
      [&](std::string_view, const dynamo::core::Actions& actions) {
        std::size_t drops = 0;
        for (const auto& write : actions.writes) drops += write.record ? 0U : 1U;
        most = std::max(most, drops);
        dropped += drops;
      });
  CHECK(cluster.run_until([&] { return dropped >= 3 * 500; }, 15min));
  cluster.world().journal().observe_steps({});
  CHECK(most <= dynamo::core::Reaper::slice);
  CHECK(records_of(cluster, "k7") == 0);
}

TEST_CASE("what has expired is dropped") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  REQUIRE(store.put("k", Context(), "book", {.ttl = 20s}).ok());
  cluster.run_for(10s);
  CHECK(records_of(cluster, "k") == 3);
  CHECK(cluster.run_until([&] { return records_of(cluster, "k") == 0; }, 30min));
}

TEST_CASE("a member that is away holds the deletes back, and status names it") {
  SimCluster cluster({.nodes = 5, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  // It need not be an owner: it may keep hints.
  const std::vector<std::string> owners = store.preference_list("k");
  int away = 1;
  while (std::ranges::count(owners, dynamo::testing::SimWorld::name_of(away)) > 0) ++away;
  cluster.crash(away);
  put_and_erase(store, "k");
  cluster.run_for(10min);
  CHECK(records_of(cluster, "k") == 3);
  std::string notes;
  for (const std::string& note : cluster.node(0).status().notes) notes += note + "\n";
  CHECK_THAT(notes, test::ContainsSubstring("deletes are kept until " +
                                            dynamo::testing::SimWorld::name_of(away)));
  cluster.restart(away);
  CHECK(cluster.run_until([&] { return records_of(cluster, "k") == 0; }, 5min));
}

TEST_CASE("a member whose disk has failed holds the deletes back, and may be read meanwhile") {
  const bool is_owner = GENERATE(true, false);
  INFO((is_owner ? "an owner" : "another"));
  SimCluster cluster({.nodes = 5, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  const std::vector<std::string> owners = store.preference_list("k");
  int failed = 1;
  while ((std::ranges::count(owners, dynamo::testing::SimWorld::name_of(failed)) > 0) != is_owner) {
    ++failed;
  }
  const auto put = store.put("k", Context(), "book", {.w = 3});
  REQUIRE(put.ok());
  cluster.run_for(1min);
  cluster.world().storage(failed).fail_next_write(absl::DataLossError("I/O error"));
  const Store other = cluster.open(failed, "others", carts).value();
  cluster.run_for(1s);
  REQUIRE(absl::IsDataLoss(other.put("x", Context(), "pen").status()));

  REQUIRE(store.erase("k", put->context).ok());
  cluster.run_for(10min);
  CHECK(records_of(cluster, "k") == 3);
  // It has missed the delete, and that it still has what was deleted harms nobody.
  const auto got = store.get("k", {.r = 3});
  REQUIRE(got.ok());
  CHECK_FALSE(got->found());
  CHECK(got->outcome.replicas.size() == 3);

  cluster.crash(failed);
  cluster.restart(failed);
  CHECK(cluster.run_until([&] { return records_of(cluster, "k") == 0; }, 10min));
  cluster.run_for(5min);
  CHECK(records_of(cluster, "k") == 0);
}

TEST_CASE("a hint of what was deleted since does not bring it back") {
  SimCluster cluster({.nodes = 5, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  const std::vector<std::string> owners = store.preference_list("k");
  const int last = index_of(cluster, owners.back());
  REQUIRE(store.put("k", Context(), "old", {.w = 3}).ok());
  cluster.crash(last);
  cluster.run_for(3s);
  int writer = 0;
  while (writer == last) ++writer;
  const Store other = cluster.open(writer, "carts", carts).value();
  // One owner is away: a stand-in keeps what is written now, and then the delete, for it.
  const auto put = other.put("k", other.get("k")->context, "book", {.w = 3});
  REQUIRE(put.ok());
  cluster.run_for(5min);
  REQUIRE(other.erase("k", put->context).ok());
  cluster.run_for(1min);
  cluster.restart(last);
  CHECK(cluster.run_until([&] { return records_of(cluster, "k") == 0; }, 10min));
  cluster.run_for(5min);
  CHECK(records_of(cluster, "k") == 0);
}

TEST_CASE("generations end with the deletes that they were for") {
  SimCluster cluster({.nodes = 3, .node = {.partitions = 16}});
  const Store store = cluster.open(0, "carts", carts).value();
  REQUIRE(store.put("k", Context(), "book").ok());
  cluster.run_for(10min);
  const auto sealed = [&] {
    const auto records = cluster.disk_of(0).records;
    const auto at = records.find(dynamo::core::generation_key());
    return at == records.end() ? 0 : dynamo::core::decode_generation(at->second)->sealed;
  };
  CHECK(sealed() == 0);
  put_and_erase(store, "gone");
  cluster.run_for(5min);
  const auto after = sealed();
  CHECK(after > 1);
  cluster.run_for(10min);
  CHECK(sealed() == after);
}

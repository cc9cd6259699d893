// Whole nodes whose owners were cut off from each other become equal without a read.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <dynamo/storage/memory.h>
#include <dynamo/testing/sim_cluster.h>
#include <fmt/format.h>
#include <asio/co_spawn.hpp>
#include <asio/use_awaitable.hpp>

#include "catch.hpp"
#include "node/engine_keys.h"
#include "node/record.h"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::StorageEngine;
using dynamo::Store;
using dynamo::testing::SimCluster;
using namespace std::chrono_literals;

namespace {

// An engine that the test can look into, and spoil.
class SharedEngine final : public StorageEngine {
 public:
  explicit SharedEngine(std::shared_ptr<StorageEngine> engine) : engine_(std::move(engine)) {}
  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) override {
    return engine_->read(key, visit);
  }
  absl::Status write(std::span<const Write> batch) override { return engine_->write(batch); }
  absl::Status scan(std::string_view from,
                    absl::FunctionRef<bool(std::string_view, std::string_view)> visit) override {
    return engine_->scan(from, visit);
  }

 private:
  const std::shared_ptr<StorageEngine> engine_;
};

struct Cluster {
  explicit Cluster(int nodes) : engines(static_cast<std::size_t>(nodes)) {
    for (auto& engine : engines) engine = dynamo::memory_storage();
    cluster = std::make_unique<SimCluster>(dynamo::testing::SimOptions{
        .nodes = nodes,
        .node = {.partitions = 64, .record_cache_bytes = 0},
        .components = [this](int node) {
          dynamo::Components parts;
          parts.storage =
              std::make_unique<SharedEngine>(engines.at(static_cast<std::size_t>(node)));
          return parts;
        }});
    for (int i = 0; i < nodes; ++i) {
      stores.push_back(cluster->open(i, "carts", {.timeout = 300ms}).value());
    }
    cluster->run_for(1s);
  }
  // Buffered writes are on disk only after a while.
  std::map<std::string, dynamo::core::VersionSet> sets(int node) {
    std::map<std::string, dynamo::core::VersionSet> sets;
    const auto status = engines[static_cast<std::size_t>(node)]->scan(
        dynamo::core::first_key(dynamo::core::RecordKind::object),
        [&](std::string_view key, std::string_view bytes) {
          if (!dynamo::core::is_kind(key, dynamo::core::RecordKind::object)) return false;
          auto record = dynamo::core::decode_record(bytes);
          REQUIRE(record.ok());
          sets.emplace(record->key, record->replica.set);
          return true;
        });
    REQUIRE(status.ok());
    return sets;
  }
  // Every key is on all its owners, and the same there.
  bool equal() {
    for (int i = 0; i < cluster->size(); ++i) {
      for (const auto& [key, set] : sets(i)) {
        for (const std::string& owner : stores.front().preference_list(key)) {
          const auto there = sets(owner.front() - 'a');
          const auto at = there.find(key);
          if (at == there.end() || at->second != set) return false;
        }
      }
    }
    return true;
  }
  void cut(int node) { cluster->world().network().disconnect(cluster->node(node).address()); }
  void heal(int node) { cluster->world().network().connect(cluster->node(node).address()); }

  std::vector<std::shared_ptr<StorageEngine>> engines;
  std::unique_ptr<SimCluster> cluster;
  std::vector<Store> stores;
};

void write_while_apart(Cluster& five) {
  for (int i = 0; i < 40; ++i) {
    const std::string key = fmt::format("k{}", i);
    five.stores[static_cast<std::size_t>(i % 4)].put(key, Context(), "x", {.w = 1}).IgnoreError();
  }
  five.cut(1);
  five.cluster->run_for(2s);
  for (int i = 0; i < 40; ++i) {
    const std::string key = fmt::format("k{}", i);
    const auto& store = five.stores[static_cast<std::size_t>(i % 5)];
    store.put(key, Context(), "y", {.w = 1}).IgnoreError();
  }
  five.heal(1);
  five.cluster->run_for(200ms);
}

}  // namespace

TEST_CASE("anti-entropy: await_converged after a cut, on a node that is no owner of most keys") {
  Cluster five(5);
  write_while_apart(five);
  const absl::Status status = five.cluster->node(4).await_converged(60s);
  INFO(status.ToString());
  CHECK(status.ok());
  CHECK(five.equal());
}

// No owner of such a key has the write, so no comparison of owners finds it.
TEST_CASE("anti-entropy: await_converged waits for what only stand-ins have") {
  SimCluster cluster({.nodes = 6});
  const Store store = cluster.open(0, "carts", {.timeout = 2s}).value();
  cluster.run_for(1s);
  std::vector<int> owners;
  std::string key;
  for (int i = 0; owners.empty() || std::ranges::count(owners, 0) > 0; ++i) {
    key = fmt::format("k{}", i);
    owners.clear();
    for (const std::string& name : store.preference_list(key)) owners.push_back(name[0] - 'a');
  }
  std::vector<int> others;
  for (int i = 0; i < 6; ++i) {
    if (std::ranges::count(owners, i) == 0) others.push_back(i);
  }
  cluster.partition({owners, others});
  REQUIRE(cluster.run_until([&] { return store.put(key, Context(), "x").ok(); }, 30s));
  const absl::Status apart = cluster.node(others[1]).await_converged(3s);
  INFO(apart.ToString());
  CHECK(std::string(apart.message()).find("1 hint for others") != std::string::npos);

  cluster.heal();
  const absl::Status status = cluster.node(owners[0]).await_converged(20s);
  INFO(status.ToString());
  CHECK(status.ok());
  for (const int owner : owners) CHECK(cluster.world().record(owner, "carts", key).ok());
  for (int i = 0; i < 6; ++i) CHECK(cluster.node(i).status().hints == 0);
}

TEST_CASE("anti-entropy: nobody asks, and the owners become equal all the same") {
  Cluster five(5);
  write_while_apart(five);
  five.cluster->run_for(60s);
  CHECK(five.equal());
  for (int i = 0; i < 5; ++i) CHECK(five.cluster->node(i).status().repair_horizon < 60s);
}

TEST_CASE("anti-entropy: the horizon of an idle cluster stays young") {
  Cluster three(3);
  for (int i = 0; i < 10; ++i) {
    three.cluster->run_for(5min);
    for (int node = 0; node < 3; ++node) {
      CHECK(three.cluster->node(node).status().repair_horizon < 20min);
      CHECK(three.cluster->node(node).status().notes.empty());
    }
  }
}

TEST_CASE("anti-entropy: a member that is away is named, also to a coroutine") {
  Cluster three(3);
  three.stores[0].put("k", Context(), "x").IgnoreError();
  three.cut(2);
  const absl::Status status = three.cluster->node(0).await_converged(3s);
  CHECK(absl::IsDeadlineExceeded(status));
  INFO(status.ToString());
  CHECK(std::string(status.message()).find("c is unreachable") != std::string::npos);

  absl::Status later = absl::UnknownError("none yet");
  three.cluster->node(0).async_await_converged(60s, [&](absl::Status given) { later = given; });
  three.cluster->run_for(5s);
  CHECK(absl::IsUnknown(later));
  three.heal(2);
  three.cluster->run_for(10s);
  CHECK(later.ok());
  CHECK(absl::IsInvalidArgument(three.cluster->node(0).await_converged(0ms)));
}

// A deploy: the node is back before anybody has missed it, but what it was asked is gone. Moves and
// await_converged() stood still for half a minute at each of those.
TEST_CASE("anti-entropy: whoever was restarted quickly is asked again at once") {
  SimCluster cluster({.nodes = 3, .network = {.latency_min = 30ms, .latency_mean = 30ms}});
  const Store store = cluster.open(0, "carts").value();
  cluster.run_for(1s);
  REQUIRE(store.put("k", Context(), "x", {.w = 3}).ok());
  absl::Status converged = absl::UnknownError("not yet");
  cluster.node(0).async_await_converged(60s, [&](absl::Status given) { converged = given; });
  cluster.run_for(10ms);  // the questions are under way
  cluster.crash(1);
  cluster.run_for(100ms);
  cluster.restart(1);
  const bool soon = cluster.run_until([&] { return converged.ok(); }, 5s);
  INFO(converged.ToString());
  CHECK(soon);
}

TEST_CASE("anti-entropy: bytes that flip under a node are healed from its peers, never shown") {
  Cluster three(3);
  for (int i = 0; i < 20; ++i) {
    REQUIRE(three.stores[0].put(fmt::format("k{}", i), Context(), "x", {.w = 3}).ok());
  }
  std::string found;
  std::string spoiled;
  REQUIRE(three.engines[1]
              ->scan(dynamo::core::first_key(dynamo::core::RecordKind::object),
                     [&](std::string_view key, std::string_view record) {
                       found = key;
                       spoiled = record;
                       return false;
                     })
              .ok());
  const std::string key = dynamo::core::decode_record(spoiled)->key;
  spoiled[spoiled.size() / 2] = static_cast<char>(spoiled[spoiled.size() / 2] ^ 8);
  REQUIRE(three.engines[1]
              ->write(std::vector<StorageEngine::Write>{{found, std::string_view(spoiled)}})
              .ok());
  const auto got = three.stores[1].get(key);
  REQUIRE(got.ok());
  CHECK(got->object() == "x");
  CHECK(three.cluster->node(1).status().damaged_records == 1);
  CHECK(three.cluster->node(0).await_converged(30s).ok());
  CHECK(three.cluster->node(1).status().damaged_records == 0);
  CHECK(three.equal());
}

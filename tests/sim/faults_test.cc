// What SimCluster's faults do: to a process, to the network, to a clock.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dynamo/membership/fixed.h>
#include <dynamo/storage/memory.h>
#include <dynamo/testing/sim_cluster.h>

#include "catch.hpp"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::GetResult;
using dynamo::PutResult;
using dynamo::Store;
using dynamo::testing::SimCluster;
using dynamo::testing::SimFault;
using namespace std::chrono_literals;

namespace {

const dynamo::StoreOptions all_three{.quorum = {.n = 3, .r = 3, .w = 3}, .sloppy = false};
const dynamo::StoreOptions strict{.sloppy = false};

std::vector<std::string> objects(const absl::StatusOr<GetResult>& result) {
  REQUIRE(result.ok());
  std::vector<std::string> found;
  for (const dynamo::Version& version : result->versions) found.push_back(version.object);
  return found;
}

using Objects = std::vector<std::string>;

}  // namespace

TEST_CASE("a crashed node keeps what was synced and loses what was buffered") {
  SimCluster cluster({.nodes = 1, .node = {.flush_interval = 1h}});
  const dynamo::Quorum alone{.n = 1, .r = 1, .w = 1};
  const Store synced = cluster.open(0, "carts", {.quorum = alone}).value();
  const Store buffered =
      cluster.open(0, "carts", {.quorum = alone, .durability = dynamo::Durability::buffered})
          .value();
  REQUIRE(synced.put("kept", Context(), "book").ok());
  REQUIRE(buffered.put("lost", Context(), "pen").ok());

  cluster.crash(0);
  CHECK_FALSE(cluster.is_up(0));
  CHECK_THROWS_AS(cluster.node(0), std::logic_error);
  CHECK(absl::IsFailedPrecondition(synced.get("kept").status()));
  CHECK(absl::IsFailedPrecondition(cluster.open(0, "carts").status()));
  cluster.crash(0);  // as dead as it was

  cluster.restart(0);
  CHECK(absl::IsFailedPrecondition(synced.get("kept").status()));
  const Store again = cluster.open(0, "carts", {.quorum = alone}).value();
  CHECK(objects(again.get("kept")) == Objects{"book"});
  CHECK(objects(again.get("lost")).empty());
}

TEST_CASE("a restart of a node that is up stops it in good order") {
  SimCluster cluster({.nodes = 1, .node = {.flush_interval = 1h}});
  const dynamo::StoreOptions options{.quorum = {.n = 1, .r = 1, .w = 1},
                                     .durability = dynamo::Durability::buffered};
  REQUIRE(cluster.open(0, "carts", options)->put("k", Context(), "book").ok());
  cluster.restart(0);
  CHECK(objects(cluster.open(0, "carts", options)->get("k")) == Objects{"book"});
}

TEST_CASE("a commit that is under way when a node stops is finished") {
  SimCluster cluster({.nodes = 1, .disk = {.write_latency = 1s}});
  const dynamo::StoreOptions options{.quorum = {.n = 1, .r = 1, .w = 1}, .timeout = 5s};
  cluster.open(0, "carts", options)
      ->async_put("k", Context(), "book", [](const absl::StatusOr<PutResult>&) {});
  cluster.run_for(100ms);
  REQUIRE(cluster.world().environment(0).is_committing());
  cluster.node(0).stop();
  cluster.restart(0);
  CHECK(objects(cluster.open(0, "carts", options)->get("k")) == Objects{"book"});
}

TEST_CASE("a call that a crash interrupts ends with CANCELLED") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(0, "carts", all_three).value();
  cluster.pause(1);
  std::optional<absl::Status> status;
  store.async_put("k", Context(), "book",
                  [&](const absl::StatusOr<PutResult>& put) { status = put.status(); });
  cluster.run_for(10ms);
  REQUIRE_FALSE(status.has_value());
  cluster.crash(0);
  cluster.run_for(1ms);
  REQUIRE(status.has_value());
  CHECK(absl::IsCancelled(*status));
}

TEST_CASE("a node may crash inside what it runs itself") {
  std::optional<SimCluster> cluster;
  int crashed = 0;
  cluster.emplace(dynamo::testing::SimOptions{.nodes = 3, .components = [&](int node) {
                                                dynamo::Components components;
                                                components.log = [&,
                                                                  node](const dynamo::LogRecord&) {
                                                  if (node != 0) return;
                                                  if (crashed++ == 0) cluster->crash(0);
                                                };
                                                return components;
                                              }});
  const Store store = cluster->open(1, "carts").value();
  cluster->crash(1);  // which node a notices, and says
  cluster->run_for(10s);
  CHECK(crashed == 1);  // and then it says nothing any more
  CHECK_FALSE(cluster->is_up(0));
  cluster->restart(0);
  CHECK(cluster->is_up(0));
}

TEST_CASE("every life of a node is a boot of its own") {
  SimCluster cluster({.nodes = 3});
  const auto boot = [&] {
    std::uint64_t number = 0;
    cluster.world().host(0).inspect(
        [&](const dynamo::core::NodeState& state, const dynamo::core::RecordReader&) {
          number = state.self.boot;
        });
    return number;
  };
  const std::uint64_t first = boot();
  cluster.crash(0);
  cluster.restart(0);
  CHECK(boot() == first + 1);
  cluster.power_loss(0);
  cluster.restart(0);
  CHECK(boot() == first + 2);
  CHECK(cluster.world().journal().count(SimFault::crash) == 1);
  CHECK(cluster.world().journal().count(SimFault::power_loss) == 1);
  CHECK(cluster.world().journal().count(SimFault::restart) == 2);
}

TEST_CASE("a paused node answers when it is resumed") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(0, "carts", all_three).value();
  cluster.run_for(100ms);
  cluster.pause(1);
  std::optional<bool> stored;
  store.async_put("k", Context(), "book", {.timeout = 60s},
                  [&](const absl::StatusOr<PutResult>& put) { stored = put.ok(); });
  cluster.run_for(500ms);
  CHECK_FALSE(stored.has_value());
  CHECK(cluster.world().is_paused(1));
  cluster.resume(1);
  REQUIRE(cluster.run_until([&] { return stored.has_value(); }, 1s));
  CHECK(*stored);
}

TEST_CASE("a node that dies while it is paused leaves nothing behind") {
  // What came due meanwhile is let go of: the leak sanitizer sees to that.
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(2, "carts", {.timeout = 1s}).value();
  for (int node = 0; node < 3; ++node) cluster.pause(node);
  CHECK(absl::IsDeadlineExceeded(store.get("k").status()));
  cluster.run_for(10s);
  cluster.crash(0);
  cluster.restart(0);
  CHECK_FALSE(cluster.world().is_paused(0));
  cluster.restart(1);  // stopped in good order, though it stands still
  CHECK(cluster.run_until([&] { return cluster.open(0, "carts")->get("k").ok(); }, 10s));
}

TEST_CASE("a partition has two sides, and heals") {
  SimCluster cluster({.nodes = 5});
  std::vector<Store> stores;
  for (int i = 0; i < 5; ++i) {
    stores.push_back(
        cluster.open(i, "carts", {.quorum = {.n = 5, .r = 3, .w = 3}, .sloppy = false}).value());
  }
  REQUIRE(stores[0].put("k", Context(), "book").ok());
  cluster.partition({{0, 1}, {2, 3, 4}});
  CHECK(absl::IsDeadlineExceeded(stores[0].get("k", {.timeout = 100ms}).status()));
  CHECK(objects(stores[4].get("k")) == Objects{"book"});
  // Who is named in no group is on the other side together.
  cluster.partition({{0, 1}});
  CHECK(stores[4].get("k").ok());
  CHECK_FALSE(stores[1].get("k", {.timeout = 100ms}).ok());
  cluster.heal();
  CHECK(objects(stores[0].get("k")) == Objects{"book"});
  CHECK(cluster.world().journal().count(SimFault::blocked) > 0);
}

TEST_CASE("a node in two groups is a bridge, and sees more than either side") {
  SimCluster cluster({.nodes = 3});
  const Store edge = cluster.open(0, "carts", all_three).value();
  const Store bridge = cluster.open(1, "carts", all_three).value();
  cluster.partition({{0, 1}, {1, 2}});
  CHECK(bridge.get("k", {.timeout = 100ms}).ok());
  CHECK_FALSE(edge.get("k", {.timeout = 100ms}).ok());
}

TEST_CASE("a cut is one way") {
  SimCluster cluster({.nodes = 2});
  int from_a = 0;
  int from_b = 0;
  cluster.world().journal().observe_packets([&](const dynamo::testing::SimPacket& packet) {
    if (packet.lost) return;
    (packet.from == "a" ? from_a : from_b)++;
  });
  cluster.cut(0, 1);
  cluster.run_for(10s);
  CHECK(from_a == 0);
  CHECK(from_b > 0);
  cluster.heal();
  cluster.run_for(10s);
  CHECK(from_a > 0);
}

TEST_CASE("a shifted clock stays shifted over a restart") {
  SimCluster cluster({.nodes = 2});
  const auto ahead = [&] {
    return cluster.world().environment(0).now().wall_us -
           cluster.world().environment(1).now().wall_us;
  };
  CHECK(ahead() == 0);
  cluster.shift_clock(0, 24h);
  CHECK(ahead() == std::chrono::microseconds(24h).count());
  cluster.restart(0);
  cluster.shift_clock(0, -1h);
  CHECK(ahead() == std::chrono::microseconds(23h).count());
}

TEST_CASE("steady clocks drift apart, and timers follow them") {
  SimCluster cluster({.nodes = 5, .clock_drift = 0.01});
  cluster.run_for(1000s);
  std::set<std::int64_t> clocks;
  for (int i = 0; i < 5; ++i) {
    const auto steady = cluster.world().environment(i).now().steady;
    CHECK(steady >= 990s);
    CHECK(steady <= 1010s);
    clocks.insert(steady.count());
  }
  CHECK(clocks.size() > 1);
  const Store store = cluster.open(0, "carts").value();
  CHECK(store.put("k", Context(), "book").ok());
}

TEST_CASE("nodes that do not exist are refused by every fault") {
  SimCluster cluster({.nodes = 2});
  CHECK_THROWS_AS(cluster.crash(2), std::out_of_range);
  CHECK_THROWS_AS(cluster.power_loss(-1), std::out_of_range);
  CHECK_THROWS_AS(cluster.restart(2), std::out_of_range);
  CHECK_THROWS_AS(cluster.wipe(2), std::out_of_range);
  CHECK_THROWS_AS(cluster.pause(2), std::out_of_range);
  CHECK_THROWS_AS(cluster.resume(2), std::out_of_range);
  CHECK_THROWS_AS(cluster.partition({{0}, {1, 2}}), std::out_of_range);
  CHECK_THROWS_AS(cluster.cut(0, 2), std::out_of_range);
  CHECK_THROWS_AS(cluster.shift_clock(2, 1s), std::out_of_range);
  CHECK_THROWS_AS(cluster.is_up(2), std::out_of_range);
}

TEST_CASE("an engine of the application's own is asked for at each start") {
  int made = 0;
  SimCluster cluster({.nodes = 1, .components = [&](int) {
                        ++made;
                        dynamo::Components components;
                        components.storage = dynamo::memory_storage();
                        return components;
                      }});
  CHECK(made == 1);
  CHECK_THROWS_AS(cluster.disk_of(0), std::logic_error);
  CHECK_THROWS_AS(cluster.wipe(0), std::logic_error);
  CHECK_FALSE(cluster.is_up(0));
  CHECK_FALSE(cluster.converged());
  cluster.restart(0);
  CHECK(made == 2);
  CHECK(cluster.open(0, "carts", {.quorum = {.n = 1, .r = 1, .w = 1}})
            ->put("k", Context(), "book")
            .ok());
}

TEST_CASE("an engine of the application's own may crash its node in the middle of a write") {
  class Fragile final : public dynamo::StorageEngine {
   public:
    explicit Fragile(std::function<void()>& on_write) : on_write_(on_write) {}
    absl::StatusOr<bool> read(std::string_view key,
                              absl::FunctionRef<void(std::string_view)> visit) override {
      return engine_->read(key, visit);
    }
    absl::Status write(std::span<const Write> batch) override {
      if (on_write_) std::exchange(on_write_, nullptr)();
      return engine_->write(batch);
    }
    absl::Status scan(std::string_view from,
                      absl::FunctionRef<bool(std::string_view, std::string_view)> visit) override {
      return engine_->scan(from, visit);
    }

   private:
    std::function<void()>& on_write_;
    std::unique_ptr<dynamo::StorageEngine> engine_ = dynamo::memory_storage();
  };
  std::function<void()> on_write;
  SimCluster cluster({.nodes = 1, .components = [&](int) {
                        dynamo::Components components;
                        components.storage = std::make_unique<Fragile>(on_write);
                        return components;
                      }});
  const dynamo::StoreOptions alone{.quorum = {.n = 1, .r = 1, .w = 1}};
  const Store store = cluster.open(0, "carts", alone).value();
  REQUIRE(store.put("k", Context(), "book").ok());
  on_write = [&] { cluster.crash(0); };
  CHECK(absl::IsCancelled(store.put("k", Context(), "pen").status()));
  CHECK_FALSE(cluster.is_up(0));
  cluster.restart(0);
  CHECK(cluster.open(0, "carts", alone)->put("k", Context(), "book").ok());
}

TEST_CASE("faults out of range are refused by name") {
  using test::ContainsSubstring;
  CHECK_THROWS_WITH(SimCluster({.network = {.latency_min = -1ns}}),
                    ContainsSubstring("network.latency_min: -1 ns"));
  CHECK_THROWS_WITH(SimCluster({.network = {.latency_min = 2ms, .latency_mean = 1ms}}),
                    ContainsSubstring("network.latency_mean: 1000000 ns"));
  CHECK_THROWS_WITH(SimCluster({.network = {.loss = 1.5}}),
                    ContainsSubstring("network.loss: 1.5, the limit is 0 to 1"));
  CHECK_THROWS_WITH(SimCluster({.network = {.replay = -0.5}}),
                    ContainsSubstring("network.replay: -0.5"));
  CHECK_THROWS_WITH(SimCluster({.disk = {.write_latency = 2h}}),
                    ContainsSubstring("disk.write_latency"));
  CHECK_THROWS_WITH(SimCluster({.disk = {.torn = 2}}), ContainsSubstring("disk.torn: 2"));
  CHECK_THROWS_WITH(SimCluster({.clock_drift = 0.5}), ContainsSubstring("clock_drift: 0.5"));
}

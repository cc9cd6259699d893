// A storm of faults of every class over a small workload, and then calm: everything that was
// acknowledged is there, and all owners agree. DYNAMO_SEED=<n> runs that seed alone.
//
// The storm stays within what the promises survive: at most one node at a time is away or comes
// back, and no disk is lost.

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>
#include <fmt/format.h>

#include "base/prng.h"
#include "catch.hpp"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::PutResult;
using dynamo::Store;
using dynamo::testing::SimCluster;
using namespace std::chrono_literals;

namespace {

constexpr int nodes = 5;
constexpr int keys = 12;

class Storm {
 public:
  explicit Storm(std::uint64_t seed)
      : prng_(seed),
        cluster_({.nodes = nodes,
                  .seed = seed,
                  .network = {.latency_mean = 1ms,
                              .loss = 0.02,
                              .duplication = 0.05,
                              .reordering = 0.05,
                              .replay = 0.05},
                  .disk = {.write_error = 0.02, .torn = 0.5},
                  .clock_drift = 0.005}) {}

  // Empty, or what was lost.
  std::string run() {
    for (int i = 0; i < 150; ++i) {
      if (i % 10 == 0) next_fault();
      put(i);
      cluster_.run_for(20ms);
    }
    calm();
    if (!cluster_.run_until([&] { return cluster_.converged(); }, 30min)) {
      return "no convergence: " + cluster_.world().not_converged();
    }
    return lost();
  }
  std::size_t acknowledged() const { return acknowledged_.size(); }

 private:
  void put(int number) {
    const int node = static_cast<int>(prng_.below(nodes));
    const std::string key = fmt::format("k{}", prng_.below(keys));
    const std::string object = fmt::format("{}/{}", key, number);
    const absl::StatusOr<Store> store = cluster_.open(node, "carts");
    if (!store.ok()) return;
    // Without a context nothing is replaced, so all that was acknowledged must be there.
    store->async_put(key, Context(), object, [this, object](const absl::StatusOr<PutResult>& put) {
      if (put.ok()) acknowledged_.insert(object);
    });
  }

  void next_fault() {
    const bool was_away = away_ >= 0;
    calm();
    if (was_away) return;
    away_ = static_cast<int>(prng_.below(nodes));
    const int other = (away_ + 1) % nodes;
    switch (prng_.below(7)) {
      case 0:
        cluster_.crash(away_);
        break;
      case 1:
        cluster_.power_loss(away_);
        break;
      case 2:
        cluster_.pause(away_);
        break;
      case 3:
        cluster_.partition({{away_}});
        break;
      case 4:
        cluster_.cut(away_, other);
        break;
      case 5:
        cluster_.world().storage(away_).set_full(true);
        break;
      default:
        cluster_.world().storage(away_).slow_down(2000);
    }
    cluster_.shift_clock(other, std::chrono::seconds(prng_.below(60)));
  }

  void calm() {
    cluster_.heal();
    for (int node = 0; node < nodes; ++node) {
      cluster_.resume(node);
      cluster_.world().storage(node).set_full(false);
      cluster_.world().storage(node).slow_down(1);
      if (!cluster_.is_up(node)) cluster_.restart(node);
    }
    away_ = -1;
  }

  std::string lost() {
    cluster_.world().set_rates({}, {});
    const Store store = cluster_.open(0, "carts").value();
    std::set<std::string> found;
    for (int key = 0; key < keys; ++key) {
      const auto got = store.get(fmt::format("k{}", key));
      if (!got.ok()) return got.status().ToString();
      for (const dynamo::Version& version : got->versions) found.insert(version.object);
    }
    for (const std::string& object : acknowledged_) {
      if (!found.contains(object)) return "acknowledged, and lost: " + object;
    }
    return "";
  }

  dynamo::core::Prng prng_;
  SimCluster cluster_;
  int away_ = -1;
  std::set<std::string> acknowledged_;
};

}  // namespace

TEST_CASE("after a storm all owners agree on everything that was acknowledged") {
  std::uint64_t first = 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::uint64_t last = 4;  // they take ten times as long
#else
  std::uint64_t last = 40;
#endif
  if (const char* seed = std::getenv("DYNAMO_SEED")) first = last = std::stoull(seed);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("DYNAMO_SEED=" << seed);
    Storm storm(seed);
    CHECK(storm.run() == "");
    CHECK(storm.acknowledged() > 50);
  }
}

// What Node::stats() says of requests that were really made: virtual time shows from outside how
// long each of them took, to the nanosecond.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "catch.hpp"

using dynamo::Context;
using dynamo::Histogram;
using dynamo::Stats;
using dynamo::Store;
using dynamo::testing::SimCluster;
using namespace std::chrono_literals;

namespace {

class Latencies {
 public:
  explicit Latencies(SimCluster& cluster) : cluster_(cluster) {}

  template <class Request>
  auto measured(const Request& request) {
    const auto before = cluster_.now();
    auto result = request();
    const std::chrono::duration<double, std::micro> took = cluster_.now() - before;
    microseconds_.push_back(took.count());
    return result;
  }

  void require_shown_by(const Histogram& shown) {
    std::ranges::sort(microseconds_);
    REQUIRE(shown.count == microseconds_.size());
    require_within(shown.p50, 0.5);
    require_within(shown.p90, 0.9);
    require_within(shown.p99, 0.99);
    require_within(shown.p999, 0.999);
    CHECK(std::abs(shown.max - microseconds_.back()) < 0.01);
  }
  double at(double share) const {
    const double rank = std::ceil(share * static_cast<double>(microseconds_.size()));
    return microseconds_[static_cast<std::size_t>(rank) - 1];
  }

 private:
  void require_within(double shown, double share) const {
    INFO("percentile " << 100 * share << " of " << microseconds_.size() << " is " << at(share)
                       << " us, shown is " << shown);
    CHECK(shown >= at(share) - 0.01);
    CHECK(shown <= at(share) * (1 + 1.0 / 64) + 0.01);
  }

  SimCluster& cluster_;
  std::vector<double> microseconds_{};
};

}  // namespace

TEST_CASE("stats: percentiles are those of the times that requests took") {
  SimCluster cluster({.nodes = 5, .network = {.latency_mean = 2ms}});
  const Store store =
      cluster.open(0, "carts", {.reconciler = dynamo::last_write_wins(), .sloppy = false}).value();
  CHECK(cluster.node(0).stats().get_latency.count == 0);
  CHECK(cluster.node(0).stats().get_latency.p999 == 0);
  Latencies gets(cluster);
  Latencies puts(cluster);
  constexpr int count = 3000;
  for (int i = 0; i < count; ++i) {
    const std::string key = "k" + std::to_string(i % 100);
    REQUIRE(puts.measured([&] { return store.put(key, Context(), "book"); }).ok());
    REQUIRE(gets.measured([&] { return store.get(key); }).ok());
  }
  // Nobody answers, and it takes as long as it may: few enough to be seen by the last one only.
  cluster.partition({{0}, {1, 2, 3, 4}});
  for (int i = 0; i < 6; ++i) {
    CHECK_FALSE(gets.measured([&] {
                      return store.get("k" + std::to_string(i), {.r = 3, .timeout = 300ms});
                    })
                    .ok());
  }
  const Stats stats = cluster.node(0).stats();
  gets.require_shown_by(stats.get_latency);
  puts.require_shown_by(stats.put_latency);
  CHECK(stats.gets == count + 6);
  CHECK(stats.puts == count);
  CHECK(stats.failed == 6);
  // The tail is another number than the middle, or this would prove nothing.
  CHECK(gets.at(0.999) > 5 * gets.at(0.99));
  CHECK(gets.at(0.99) > 2 * gets.at(0.5));
  // What other nodes coordinate for it is not theirs.
  CHECK(cluster.node(1).stats().puts == 0);
}

TEST_CASE("stats: versions_per_get counts the gets that found so many versions") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(0, "carts", {.quorum = {.n = 3, .r = 3, .w = 3}}).value();
  constexpr std::size_t last = 16;  // and more
  std::vector<std::uint64_t> expected(last + 1);
  for (std::size_t versions : {0U, 1U, 2U, 3U, 5U, 15U, 16U, 17U, 40U}) {
    const std::string key = "k" + std::to_string(versions);
    for (std::size_t i = 0; i < versions; ++i) {
      REQUIRE(store.put(key, Context(), "v" + std::to_string(i)).ok());
    }
    for (std::size_t i = 0; i < versions + 2; ++i) {
      REQUIRE(store.get(key)->versions.size() == versions);
      ++expected[std::min(versions, last)];
    }
  }
  Stats stats = cluster.node(0).stats();
  CHECK(stats.versions_per_get == expected);
  CHECK(stats.siblings_seen == stats.gets - expected[0] - expected[1]);

  // Deleted is no version; a failed get has found nothing; a reconciler makes one of many, and what
  // was found counts.
  const auto seen = store.get("k3");
  REQUIRE(store.erase("k3", seen->context).ok());
  REQUIRE_FALSE(store.get("k3")->found());
  ++expected[3];
  ++expected[0];
  const auto first = [](std::span<const dynamo::Version> siblings) { return siblings[0].object; };
  const Store merged =
      cluster
          .open(0, "carts",
                {.quorum = {.n = 3, .r = 3, .w = 3}, .reconciler = dynamo::reconcile_with(first)})
          .value();
  REQUIRE(merged.get("k5")->versions.size() == 1);
  ++expected[5];
  cluster.partition({{0}, {1, 2}});
  CHECK_FALSE(store.get("k1", {.timeout = 100ms}).ok());
  stats = cluster.node(0).stats();
  CHECK(stats.versions_per_get == expected);
  CHECK(stats.failed == 1);
}

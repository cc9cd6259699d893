#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "speed/child.h"
#include "speed/suites.h"
#include "speed/workload.h"

namespace bench {

namespace {

// What requests of the application meet while the cluster has other work: one of four nodes was
// stopped and gets what it has missed, from hints and by anti-entropy, and a fifth joins. On all
// processors, each round with a cluster of its own.
class Background final : public Suite {
 public:
  explicit Background(const Setting& setting)
      : setting_(setting), names_(key_names(setting.scale.keys)) {
    pin(setting.all_processors);
  }
  ~Background() override { pin({setting_.all_processors.back()}); }

  std::vector<Probe> probes() override {
    return {{"mix, 16 in flight, beside the background", [this] { return measure(); }}};
  }

  std::vector<Row> rows() const override {
    return {figure("p99 of a mix with hints, anti-entropy and a join, over without", 3, 1.5,
                   &Sample::value, "mix, 16 in flight, beside the background")};
  }

 private:
  // The times are those beside the background, the figure is p99 over p99 without.
  Sample measure() {
    asio::io_context io{1};
    Cluster cluster(setting_.program, setting_.directory / "gossip", &io, {.gossip = true});
    Workload work(io, cluster, names_, std::string(100, 'x'), Keys(names_.size(), 1));
    const dynamo::Store store = cluster.store(dynamo::Durability::buffered);
    cluster.join("d");
    do cluster.await_converged();
    while (cluster.node().status().members.size() < 4 || cluster.node().status().moves > 0);
    const double seconds = std::max(1.0, 10 * setting_.scale.seconds);
    const Load load{.in_flight = 16, .seconds = seconds};
    const Sample without = work.mix(store, load, 2);
    cluster.stop_one();
    work.puts(store, {.in_flight = 16, .seconds = seconds / 3, .warm_up_seconds = 1});
    const std::uint64_t hints = cluster.node().status().hints;  // of this node's
    cluster.resume_one();
    cluster.join("e");
    cluster.node().async_await_converged(std::chrono::minutes(5), [](const absl::Status&) {});
    Sample with = work.mix(store, load, 2);
    const dynamo::ClusterStatus status = cluster.node().status();
    with.value = with.p99_us / without.p99_us;
    fmt::print(
        "without: p50 {:.0f} us, p99 {:.0f} us; with: {:.0f}, {:.0f}; hints {} and then {}, "
        "{} members, {} partitions still on their way\n",
        without.p50_us, without.p99_us, with.p50_us, with.p99_us, hints, status.hints,
        status.members.size(), status.moves);
    return with;
  }

  const Setting setting_;
  const std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<Suite> background_suite(const Setting& setting) {
  return std::make_unique<Background>(setting);
}

}  // namespace bench

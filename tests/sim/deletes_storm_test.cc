// Half an hour of puts, deletes and faults of every class, lost disks among them: what was
// acknowledged and not replaced is there, what was deleted is not, and the deletes themselves are
// gone in the end. Judged by ghost histories: every write knows which writes its writer had seen.
// DYNAMO_SEED=<n> runs that seed alone, DYNAMO_RUNS=<n> so many.

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>
#include <fmt/format.h>

#include "base/prng.h"
#include "catch.hpp"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::GetResult;
using dynamo::PutResult;
using dynamo::Store;
using dynamo::testing::SimCluster;
using namespace std::chrono_literals;

namespace {

constexpr int nodes = 4;
constexpr int keys = 6;
const dynamo::StoreOptions carts{.quorum = {.n = 3, .r = 2, .w = 2}, .timeout = 400ms};

using Writes = std::set<int>;

class Storm {
 public:
  explicit Storm(std::uint64_t seed)
      : prng_(seed),
        cluster_({.nodes = nodes,
                  .seed = seed,
                  .node = {.partitions = 8},
                  .network = {.latency_mean = 1ms,
                              .loss = 0.01,
                              .duplication = 0.02,
                              .reordering = 0.05,
                              .replay = 0.05},
                  .disk = {.write_error = 0.01, .torn = 0.5},
                  .clock_drift = 0.005}) {}

  // Empty, or what is wrong.
  std::string run() {
    for (int burst = 0; burst < 25; ++burst) {
      next_fault();
      for (int i = 0; i < 12; ++i) {
        act();
        cluster_.run_for(50ms);
      }
      cluster_.run_for(std::chrono::seconds(5 + prng_.below(100)));
    }
    calm();
    cluster_.world().set_rates({}, {});
    if (!cluster_.run_until([&] { return cluster_.converged(); }, 30min)) {
      return "no convergence: " + cluster_.world().not_converged();
    }
    if (!cluster_.run_until([&] { return all_rebuilt(); }, 30min)) return "not rebuilt";
    cluster_.run_for(30s);  // until everybody has heard of everybody
    const std::string wrong = judge();
    if (!wrong.empty()) return wrong;
    return cluster_.run_until([&] { return deletes_left() == 0; }, 30min) ? judge()
                                                                          : "deletes are kept";
  }
  int acknowledged() const { return static_cast<int>(acknowledged_.size()); }
  int erased() const { return erased_; }
  int wiped() const { return wiped_; }

 private:
  struct Seen {
    Context context{};
    Writes ghost{};
    std::set<dynamo::Dot> dots{};  // of these
  };
  struct Write {
    int key = 0;
    bool object = true;
    Writes ghost{};  // what its writer had seen
    std::set<dynamo::Dot> dots{};
  };

  static std::string name(int key) { return fmt::format("k{}", key); }

  void act() {
    const int key = static_cast<int>(prng_.below(keys));
    const auto store = cluster_.open(static_cast<int>(prng_.below(nodes)), "carts", carts);
    if (!store.ok()) return;
    switch (prng_.below(4)) {
      case 0:
        return write(*store, key, true, prng_.chance(0.3) ? Seen{} : seen_[key]);
      case 1:
        if (!seen_[key].context.empty()) return write(*store, key, false, seen_[key]);
        [[fallthrough]];
      default:
        store->async_get(name(key), [this, key](const absl::StatusOr<GetResult>& got) {
          if (!got.ok()) return;
          Seen seen{.context = got->context};
          for (const dynamo::Version& version : got->versions) {
            const int number = std::stoi(version.object);
            const Write& write = writes_.at(number);
            seen.ghost.insert(number);
            seen.ghost.insert(write.ghost.begin(), write.ghost.end());
            seen.dots.insert(version.dot);
            seen.dots.insert(write.dots.begin(), write.dots.end());
          }
          seen_[key] = std::move(seen);
        });
    }
  }

  void write(const Store& store, int key, bool object, const Seen& seen) {
    const int number = ++last_;
    writes_[number] = {key, object, seen.ghost, seen.dots};
    auto done = [this, number, object](const absl::StatusOr<PutResult>& put) {
      if (!put.ok()) return;
      acknowledged_.insert(number);
      erased_ += object ? 0 : 1;
    };
    if (object) {
      store.async_put(name(key), seen.context, std::to_string(number), std::move(done));
    } else {
      store.async_erase(name(key), seen.context, std::move(done));
    }
  }

  void next_fault() {
    const bool was_away = away_ >= 0;
    calm();
    if (was_away) return;
    const int node = static_cast<int>(prng_.below(nodes));
    switch (prng_.below(8)) {
      case 0:
        cluster_.crash(node);
        break;
      case 1:
        cluster_.power_loss(node);
        break;
      case 2:
        cluster_.pause(node);
        break;
      case 3:
        cluster_.partition({{node}});
        break;
      case 4:
        cluster_.cut(node, (node + 1) % nodes);
        break;
      case 5:
        cluster_.world().storage(node).set_full(true);
        break;
      case 6:
        cluster_.partition({{node, (node + 1) % nodes}});
        break;
      default:
        // One disk at a time: what the last one held must be on others first.
        if (!cluster_.run_until([&] { return cluster_.converged(); }, 10min)) return;
        cluster_.wipe(node);
        ++wiped_;
    }
    away_ = node;
    cluster_.shift_clock((node + 1) % nodes, std::chrono::seconds(prng_.below(60)));
  }

  void calm() {
    cluster_.heal();
    for (int node = 0; node < nodes; ++node) {
      cluster_.resume(node);
      cluster_.world().storage(node).set_full(false);
      if (!cluster_.is_up(node)) cluster_.restart(node);
    }
    away_ = -1;
  }

  bool all_rebuilt() {
    for (int node = 0; node < nodes; ++node) {
      for (const std::string& note : cluster_.node(node).status().notes) {
        if (note.starts_with("this node's disk was lost")) return false;
      }
    }
    return true;
  }

  std::string judge() {
    std::map<int, Writes> shown;
    std::map<int, dynamo::Dot> dots;
    const Store store = cluster_.open(0, "carts", carts).value();
    for (int key = 0; key < keys; ++key) {
      const auto got = store.get(name(key), {.r = 3});
      if (!got.ok()) return got.status().ToString();
      for (const dynamo::Version& version : got->versions) {
        shown[key].insert(std::stoi(version.object));
        dots[std::stoi(version.object)] = version.dot;
      }
    }
    for (const int number : acknowledged_) {
      const Write& write = writes_.at(number);
      for (const int replaced : write.ghost) {
        // Under another dot it is the false sibling that a put leaves which two nodes took.
        if (shown[write.key].contains(replaced) && write.dots.contains(dots.at(replaced))) {
          return fmt::format("C3: {} replaced {}, which is back", number, replaced);
        }
      }
      if (write.object && !covered(number, shown[write.key])) {
        return fmt::format("C2: {} was acknowledged, and is lost", number);
      }
    }
    return "";
  }

  // It is shown, or replaced by what is, or by some delete that may be gone by now.
  bool covered(int number, const Writes& shown) const {
    for (const auto& [other, write] : writes_) {
      const bool counts = shown.contains(other) || !write.object;
      if (counts && (other == number || write.ghost.contains(number))) return true;
    }
    return false;
  }

  int deletes_left() {
    int left = 0;
    for (int node = 0; node < nodes; ++node) {
      for (int key = 0; key < keys; ++key) {
        const auto record = cluster_.world().record(node, "carts", name(key));
        left +=
            record.ok() && record->has_value() && (*record)->replica.set.only_deletes_at(0) ? 1 : 0;
      }
    }
    return left;
  }

  dynamo::core::Prng prng_;
  SimCluster cluster_;
  int away_ = -1;
  int last_ = 0;
  int erased_ = 0;
  int wiped_ = 0;
  std::map<int, Write> writes_;
  std::map<int, Seen> seen_;
  Writes acknowledged_;
};

}  // namespace

TEST_CASE("through half an hour of faults nothing deleted comes back and nothing else is lost") {
  std::uint64_t first = 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::uint64_t last = 2;  // they take ten times as long
#else
  std::uint64_t last = 12;
#endif
  if (const char* runs = std::getenv("DYNAMO_RUNS")) last = std::stoull(runs);
  if (const char* seed = std::getenv("DYNAMO_SEED")) first = last = std::stoull(seed);
  int erased = 0;
  int wiped = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("DYNAMO_SEED=" << seed);
    Storm storm(seed);
    CHECK(storm.run() == "");
    CHECK(storm.acknowledged() > 20);
    erased += storm.erased();
    wiped += storm.wiped();
  }
  CHECK(erased > 0);
  INFO(wiped);
  CHECK((first == last || wiped > 0));
}

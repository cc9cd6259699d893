#include "seed_run.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include <dynamo/testing/sim_cluster.h>
#include <fmt/format.h>

#include "answer_checks.h"
#include "base/hash.h"
#include "base/prng.h"
#include "clients.h"
#include "end_checks.h"
#include "fault_plan.h"
#include "ghosts.h"
#include "members.h"
#include "record_checks.h"
#include "testing/sim_world.h"

namespace seeds {

using dynamo::testing::SimCluster;
using dynamo::testing::SimWorld;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> zones(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(fmt::format("zone {}", i));
  return names;
}

class SeedRun {
 public:
  SeedRun(const SeedOptions& options, const Findings::Show& show)
      : options_(options),
        cluster_({.nodes = options.nodes,
                  .seed = options.seed,
                  .node = {.partitions = options.partitions,
                           .hint_bytes_max = options.hint_bytes_max,
                           .record_cache_bytes = options.record_cache_bytes()},
                  .zones = zones(options.zones),
                  .threads = options.threads(),
                  .network = options.network,
                  .disk = options.disk,
                  .clock_drift = options.clock_drift}),
        findings_(cluster_),
        ghosts_(options.keys),
        members_(cluster_, findings_, options_),
        records_(cluster_, ghosts_, members_, findings_, options_),
        answers_(cluster_, ghosts_, members_, findings_, options_),
        end_(cluster_, ghosts_, members_, findings_, options_),
        clients_(cluster_, ghosts_, answers_, findings_, options_),
        plan_(cluster_, findings_, options_,
              {.disk_lost = [this](int node) { lose_disk(node); },
               .going_down =
                   [this](int node) {
                     records_.died(node);
                     end_.check_disks(disks_lost_);
                   }}) {
    findings_.show_with(show);
    members_.on_move_end([this](int partition, const std::vector<int>& owners) {
      if (disks_lost_ == 0) end_.check_moved(partition, owners);
    });
    cluster_.world().journal().observe_steps(
        [this](std::string_view node, const dynamo::core::Actions& actions) {
          members_.see(node, actions);
          records_.see(node, actions);
        });
  }

  ~SeedRun() { cluster_.world().journal().observe_steps({}); }
  SeedRun(const SeedRun&) = delete;
  SeedRun& operator=(const SeedRun&) = delete;

  SeedResult run() {
    try {
      live();
    } catch (const std::exception& error) {  // the simulator says that time stands still
      findings_.fail("C14", error.what());
    }
    return {.failure = findings_.failure(),
            .visited = findings_.visited(),
            .faults = cluster_.world().journal().faults(),
            .planned = plan_.done(),
            .operations = clients_.operations(),
            .simulated = cluster_.now(),
            .trace_hash = cluster_.trace_hash()};
  }

 private:
  bool well() const { return !findings_.failure(); }

  void live() {
    members_.start();
    const auto store = cluster_.open(0, "carts", options_.store);
    if (!store.ok()) return findings_.fail("C14", store.status().ToString());
    clients_.start();
    live_through_faults();
    if (well()) serve_with_a_core();
    if (well()) come_together();
  }

  void lose_disk(int node) {
    ++disks_lost_;
    records_.disk_lost(node);
    answers_.disk_lost(node);
  }

  void live_through_faults() {
    const nanoseconds end = options_.duration;
    while (well() && cluster_.now() < end) {
      const nanoseconds next = std::min(plan_.next(), end);
      cluster_.run_for(std::max(next - cluster_.now(), nanoseconds(0)));
      if (well() && cluster_.now() < end) plan_.act();
    }
  }

  // C14 (P3): max(r, w) owners of each key are back, the others away for ever as far as anybody
  // knows. What goes through those that are there is answered.
  void serve_with_a_core() {
    const dynamo::Quorum& quorum = options_.store.quorum;
    dynamo::core::Prng prng(dynamo::core::hash64("core", options_.seed));
    std::vector<int> away;
    const int spare = members_.fewest_owners() - std::max(quorum.r, quorum.w);
    for (int i = 0; i < spare; ++i) {
      const int node = static_cast<int>(prng.below(static_cast<std::uint64_t>(cluster_.size())));
      if (is_gone(cluster_, node)) continue;
      if (std::ranges::find(away, node) == away.end()) away.push_back(node);
    }
    // In memory alone, a write needs whoever has it.
    const bool synced = options_.store.durability == dynamo::Durability::synced;
    for (const int node : away) {
      if (!synced || prng.chance(0.3)) continue;
      cluster_.crash(node);
    }
    plan_.calm_but(away);
    std::vector<std::vector<int>> alone;
    for (const int node : away) {
      if (cluster_.is_up(node)) alone.push_back({node});
    }
    if (!alone.empty()) cluster_.partition(alone);
    cluster_.run_for(90s);
    if (disk_is_rebuilding()) return;  // it may not say what it does not know
    // So many have left meanwhile that there is no quorum of owners at all (seed 700387).
    if (members_.fewest_owners() < std::max(quorum.r, quorum.w)) return;
    for (int node = 0; node < cluster_.size() && well(); ++node) {
      if (std::ranges::find(away, node) != away.end() || !members_.is_in(node)) continue;
      const auto store = cluster_.open(node, "carts", options_.store);
      if (!store.ok()) return findings_.fail("C14", store.status().ToString());
      for (int i = 0; i < 3; ++i) serve(node, *store, fmt::format("core {}", i));
    }
    findings_.visit(Visit::core_served);
  }

  void serve(int node, const dynamo::Store& store, const std::string& key) {
    const dynamo::WriteOptions slowly{.timeout = 5s};
    const auto put = store.put(key, dynamo::Context(), "x", slowly);
    const auto got = store.get(key, {.timeout = 5s});
    for (const absl::Status& status : {put.status(), got.status()}) {
      if (status.ok() || is_gone(cluster_, node)) continue;  // it has left meanwhile (seed 500171)
      findings_.fail("C14", fmt::format("{} cannot serve, though a quorum of owners is there: {}{}",
                                        SimWorld::name_of(node), status.ToString(), notes()));
    }
  }

  // Of an owner that was removed the others have to make up for the copy, too.
  // What the nodes say of themselves.
  std::string notes() {
    std::string text;
    for (int node = 0; node < cluster_.size(); ++node) {
      if (!cluster_.is_up(node)) continue;
      const dynamo::ClusterStatus status = cluster_.node(node).status();
      if (status.notes.empty()) continue;
      text += fmt::format("; {} in view {}: {}", SimWorld::name_of(node), status.view,
                          fmt::join(status.notes, ", "));
    }
    return text;
  }

  bool disk_is_rebuilding() {
    const bool moving = !cluster_.world().latest_view().moves.empty();
    return disks_lost_ > 0 && (moving || !plan_.all_rebuilt());
  }

  void come_together() {
    plan_.calm();
    clients_.stop();
    if (!cluster_.run_until([this] { return clients_.idle(); }, 5min)) {
      return findings_.fail("C14", "an operation never ends");
    }
    const auto settled = [this] { return !well() || members_.unsettled().empty(); };
    if (!cluster_.run_until(settled, 15min)) {
      return findings_.fail("C10", members_.unsettled() + members_.describe());
    }
    if (!cluster_.run_until([this] { return !well() || cluster_.converged(); }, 30min)) {
      return findings_.fail(
          "C8", "no convergence: " + cluster_.world().not_converged() + members_.describe());
    }
    if (!cluster_.run_until([this] { return !well() || plan_.all_rebuilt(); }, 30min)) {
      return findings_.fail("C8", "a lost disk is never rebuilt" + members_.describe());
    }
    if (disks_lost_ > 0) findings_.visit(Visit::rebuilt);
    cluster_.run_for(30s);  // until everybody has heard of everybody
    judge();
    // That looks at every record of every node: once a second, and not after every event.
    for (int seconds = 0; well() && end_.deletes_left() > 0; ++seconds) {
      if (seconds == 3600) {
        return findings_.fail("C3", "deletes are kept for ever" + members_.describe());
      }
      cluster_.run_for(1s);
    }
    judge();
  }

  void judge() {
    if (!cluster_.run_until([this] { return !well() || cluster_.converged(); }, 30min)) {
      return findings_.fail(
          "C8", "no convergence: " + cluster_.world().not_converged() + members_.describe());
    }
    if (const std::string why = members_.unsettled(); well() && !why.empty()) {
      return findings_.fail("C10", why);
    }
    if (well()) end_.check_records();
    if (well()) end_.check_trees();
    if (well()) end_.check_gets();
  }

  const SeedOptions options_;
  SimCluster cluster_;
  Findings findings_;
  Ghosts ghosts_;
  Members members_;
  RecordChecks records_;
  AnswerChecks answers_;
  EndChecks end_;
  Clients clients_;
  FaultPlan plan_;
  int disks_lost_ = 0;
};

}  // namespace

SeedResult run_seed(const SeedOptions& options, const Findings::Show& show) {
  return SeedRun(options, show).run();
}

}  // namespace seeds

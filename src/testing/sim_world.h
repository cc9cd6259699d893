#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/node.h>
#include <dynamo/testing/sim_cluster.h>

#include "host/host.h"
#include "node/engine_keys.h"
#include "node/record.h"
#include "testing/sim_context.h"
#include "testing/sim_environment.h"
#include "testing/sim_journal.h"
#include "testing/sim_storage.h"
#include "testing/sim_wires.h"

namespace dynamo::testing {

// The inside of a SimCluster, for the project's own tests and checkers too. Nodes are indices here;
// all that take one throw std::out_of_range if there is no such node.
//
// Thread safety: one thread.
class SimWorld {
 public:
  explicit SimWorld(SimOptions options);
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  int size() const { return static_cast<int>(computers_.size()); }
  // As SimCluster's.
  absl::StatusOr<int> add();
  // The latest that any node has been in.
  const View& latest_view();
  // It has neither left nor been removed.
  bool is_member(int node);
  // Since the cluster that it begins with was there.
  core::TimePoint now() const { return context_->scheduler().now() - began_; }
  SimContext& context() { return *context_; }
  const SimContext& context() const { return *context_; }
  SimWires& network() { return *wires_; }
  SimJournal& journal() { return *journal_; }
  const SimJournal& journal() const { return *journal_; }
  SimStorage& storage(int node) { return *computer(node).storage; }

  // These three throw std::logic_error if the node is down.
  Node& node(int index);
  SimEnvironment& environment(int node);
  host::Host& host(int node);
  bool is_up(int node) const { return computer(node).node.has_value(); }
  bool is_paused(int node) const { return computer(node).paused; }

  // As SimCluster's.
  void crash(int node);
  void power_loss(int node);
  absl::Status restart(int node);
  void wipe(int node);
  void restore_disk(int node, const DiskImage& image);
  void pause(int node);
  void resume(int node);
  void partition(const std::vector<std::vector<int>>& groups);
  void cut(int from, int to);
  void shift_clock(int node, std::chrono::nanoseconds by);
  // From now on every network and disk does as these say.
  void set_rates(const SimNetwork& network, const SimDisk& disk);

  // Throws std::logic_error inside an event: time does not pass within a moment.
  void run_until(absl::FunctionRef<bool()> done, core::TimePoint limit);

  // Shows a node's records as it would read them itself, and those of its disk if it is down, in
  // key order from `from` on, until `visit` returns false.
  void scan(int node, std::string_view from,
            absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit);
  // What the node has of the key as an owner, or as a stand-in; nullopt: nothing. DATA_LOSS if the
  // record is damaged; FAILED_PRECONDITION while no node has a view, for then nobody knows the
  // hash.
  absl::StatusOr<std::optional<core::Record>> record(
      int node, std::string_view store, std::string_view key,
      core::RecordKind kind = core::RecordKind::object);
  // Empty if the cluster has converged; else the first thing that is missing, in words.
  std::string not_converged();

  // "a" to "z", "aa", "ab", ...: name and address of node `index`.
  static std::string name_of(int index);

 private:
  // One computer: a disk, a clock, and the process on it, if it runs.
  struct Computer {
    std::shared_ptr<SimStorage> storage{};  // shared with the engines of its processes
    std::chrono::microseconds wall_offset{0};
    std::int64_t drift_ppm = 0;
    std::uint64_t boots = 0;
    bool paused = false;
    std::optional<Node> node{};
    // Of the node, which owns them; null if there is none.
    SimEnvironment* environment = nullptr;
    host::Host* host = nullptr;
    std::shared_ptr<bool> alive{};  // shared with what the process calls of the application's
  };

  Computer& computer(int node);
  const Computer& computer(int node) const;
  void make_computer(int index);
  NodeOptions options_of(int index) const;
  bool all_in(const View& view) const;
  absl::Status start(int index);
  absl::StatusOr<host::Host::Parts> parts_of(int index, const NodeOptions& node);
  void kill(int node, SimFault how);
  void bury(Computer& computer);
  std::string compare_records(const host::Host& host);
  // Of the nodes that run the one in the latest view, which says who owns what; null if none has
  // one.
  host::Host* any_host();

  const SimOptions options_;
  const std::shared_ptr<SimContext> context_ = std::make_shared<SimContext>();
  const std::shared_ptr<SimJournal> journal_ = std::make_shared<SimJournal>();
  const std::shared_ptr<SimWires> wires_;
  View latest_{};
  bool founded_ = false;
  core::TimePoint began_{};
  bool own_membership_ = false;  // the application's
  std::vector<Computer> computers_;
  // What the records say, and as of which SimJournal::changes(): run_until() asks at every event.
  std::string differences_;
  std::optional<std::uint64_t> compared_at_;
};

}  // namespace dynamo::testing

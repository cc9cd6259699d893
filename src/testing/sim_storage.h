#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/storage_engine.h>
#include <dynamo/testing/sim_cluster.h>

#include "base/prng.h"
#include "testing/sim_context.h"
#include "testing/sim_journal.h"

namespace dynamo::testing {

// The disk of one simulated node: what the processes that come and go there have written.
//
// A commit has two ends. It begins when the node hands over a batch, and the environment lets
// commit_time() pass; then write() says what became of it. Whoever dies in between has told nobody,
// and finds the batch on the disk or not. That is all that can be lost: a StorageEngine keeps a
// batch whole, and in the order of the commits, so torn and reordered writes below it come out as a
// batch that is not there.
//
// The engine may be the application's own, which brings a disk of its own: then it lives as long as
// the process, and what it has kept is its own business.
//
// Thread safety: one thread.
class SimStorage : public std::enable_shared_from_this<SimStorage> {
 public:
  SimStorage(std::shared_ptr<SimContext> context, std::string node, SimDisk rates,
             std::uint64_t seed, std::shared_ptr<SimJournal> journal);

  // The engine of one life of the node, which ends when another is opened or with sever(). `own`:
  // the application's, or null. It shares the disk, as it may outlive the cluster.
  static std::unique_ptr<StorageEngine> open(std::shared_ptr<SimStorage> storage,
                                             std::unique_ptr<StorageEngine> own);
  // The process is dead: nothing that is left of it reads or writes any more.
  void sever();

  void set_rates(const SimDisk& rates) { rates_ = rates; }
  // Chance spares a node until it has started. What is asked for below does not.
  void started() { started_ = true; }

  // How long the commit that begins now takes.
  core::TimePoint commit_time();
  // Whether a batch that was being written when the power went is there nevertheless.
  bool survives_power_loss() { return !prng_.chance(rates_.torn); }
  // The same for a process that was killed: the odds are even.
  bool survives_crash() { return prng_.chance(0.5); }

  // From now on commits take `factor` times as long; 1 ends it.
  void slow_down(int factor);
  // Whether writes fail with RESOURCE_EXHAUSTED.
  void set_full(bool full) { full_ = full; }
  // The next write ends like this. After DATA_LOSS the batch may be there nevertheless.
  void fail_next_write(absl::Status status) { next_write_ = std::move(status); }
  // Flips a bit of that record, or of any record that replicas have copies of: objects and hints.
  // False if there is none.
  bool rot();
  bool rot(std::string_view key);

  // All records. This and the next two throw std::logic_error if the engine is the application's.
  DiskImage image() const;
  // An older state, or another node's. REQUIRES: severed.
  void restore(const DiskImage& image);
  void wipe() { restore({}); }
  // Null if the application's own engine is not open.
  StorageEngine* engine() const { return engine_.get(); }

 private:
  class Call;
  class Port;

  absl::Status write(std::span<const StorageEngine::Write> batch);
  absl::Status draw_failure();
  void require_simulated() const;

  const std::shared_ptr<SimContext> context_;
  const std::string node_;
  const std::shared_ptr<SimJournal> journal_;
  core::Prng prng_;
  SimDisk rates_;
  std::unique_ptr<StorageEngine> engine_;
  bool own_ = false;
  int calls_ = 0;                                      // that the engine is in
  std::vector<std::unique_ptr<StorageEngine>> dying_;  // let go of once these have returned
  bool started_ = false;
  bool full_ = false;
  int slowness_ = 1;
  std::optional<absl::Status> next_write_;
  std::uint64_t life_ = 0;  // of the port that may use the engine
};

}  // namespace dynamo::testing

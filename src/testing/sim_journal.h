#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include <dynamo/storage_engine.h>
#include <dynamo/transport.h>

#include "base/time.h"
#include "node/event.h"

namespace dynamo::testing {

// A packet at the moment it is sent. Valid during the call of the observer only.
struct SimPacket {
  core::TimePoint sent_at{};
  std::string_view from{};
  std::string_view to{};
  Lane lane = Lane::request;
  std::string_view bytes{};
  bool lost = false;  // the network does not carry it, or nobody listens there
};

// A batch at the moment its commit ends. Valid during the call of the observer only.
struct SimWrite {
  core::TimePoint written_at{};
  std::string_view node{};
  std::span<const StorageEngine::Write> batch{};
  const absl::Status& status;
};

// What goes wrong, by class.
enum class SimFault {
  loss,
  duplication,
  reordering,
  replay,
  blocked,  // a packet that a partition or a cut swallowed
  clog,
  partition,
  cut,
  crash,
  power_loss,
  batch_lost,  // a crash or power loss that met a batch between write and sync, and it is gone
  batch_kept,  // as that, and it is on the disk, though nobody was told
  restart,
  pause,
  clock_shift,
  write_error,  // RESOURCE_EXHAUSTED, a full disk included
  data_loss,    // a commit that failed with DATA_LOSS
  slow_disk,
  bit_rot,
  wipe,
  old_copy,
};
inline constexpr std::size_t sim_faults = static_cast<std::size_t>(SimFault::old_copy) + 1;
std::string_view to_string(SimFault fault);

// What happened in a simulated cluster: the trace hash, the faults by class, and whoever wants to
// see more.
//
// The hash is the sum of one hash for each packet, write and answer, which holds its virtual time.
// So what happens at one moment may happen in any order: that order is asio's and the scheduler's
// business, and the trace is the nodes'. Only integers and bytes go in, so that every compiler
// comes to the same.
//
// Thread safety: one thread.
class SimJournal {
 public:
  using PacketObserver = std::function<void(const SimPacket&)>;
  using WriteObserver = std::function<void(const SimWrite&)>;
  // The writes and answers of one step of node `node`'s machine; see Host::Parts::observe.
  using StepObserver = std::function<void(std::string_view node, const core::Actions&)>;

  void observe_packets(PacketObserver observer) { packet_observer_ = std::move(observer); }
  void observe_writes(WriteObserver observer) { write_observer_ = std::move(observer); }
  void observe_steps(StepObserver observer) { step_observer_ = std::move(observer); }

  void packet(const SimPacket& packet);
  void write(const SimWrite& write);
  void step(core::TimePoint at, std::string_view node, const core::Actions& actions);
  void fault(SimFault fault) {
    ++faults_[static_cast<std::size_t>(fault)];
    ++changes_;
  }

  // Another number whenever some node's records may have changed.
  std::uint64_t changes() const { return changes_; }
  std::uint64_t hash() const { return hash_; }
  std::uint64_t count(SimFault fault) const { return faults_[static_cast<std::size_t>(fault)]; }
  // Of all classes.
  std::uint64_t faults() const;

 private:
  void add(std::string_view entry);

  std::uint64_t hash_ = 0;
  std::uint64_t changes_ = 0;
  std::array<std::uint64_t, sim_faults> faults_{};
  PacketObserver packet_observer_;
  WriteObserver write_observer_;
  StepObserver step_observer_;
};

}  // namespace dynamo::testing

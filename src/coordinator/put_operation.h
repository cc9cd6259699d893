#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <dynamo/outcome.h>

#include "coordinator/replica_tally.h"

namespace dynamo::core {

// A put, at the node that coordinates it: writes locally and sends the set to the other owners at
// the same time, and is done when w nodes, itself and stand-ins included, have taken it
// (paper, 4.5, 4.6).
//
//   writing --w took it--> enough        writing --too few can still take it--> hopeless
//
// "Taken" means synced for a store that is `synced`, and in the object buffer for one that is
// `buffered`: nothing is acknowledged before that. A failed put is not undone (trap D5); the
// outcome says how far it got.
//
// Thread safety: one thread at a time.
class PutOperation {
 public:
  PutOperation(const OwnerSides& owners, int w, bool synced);

  // Who is asked, for StandIns.
  ReplicaTally& tally() { return tally_; }

  // In the node's object buffer, or on its stable storage.
  void stored(std::string_view node);
  void synced(std::string_view node);
  void refused(std::string_view node, std::string reason);
  // What a failed write may have left on the disk.
  enum class Left { nothing, perhaps };
  // This node's own engine failed to take what was in the object buffer.
  void local_failed(std::string_view node, std::string reason, Left left);
  void unreachable(std::string_view node, std::string reason);
  // This is not the first attempt: somebody may have it from before.
  void started_over() { perhaps_left_ = true; }

  bool enough() const { return taken() >= w_; }
  bool hopeless() const;

  Outcome outcome(const WriteId& id) const;
  // Why it failed, with the outcome inside. `code`: UNAVAILABLE or DEADLINE_EXCEEDED.
  absl::Status failure(absl::StatusCode code, std::string_view key, const WriteId& id,
                       std::string_view after) const;

 private:
  bool took(const ReplicaReport& report) const;
  int taken() const;

  ReplicaTally tally_;
  int w_;
  bool synced_;
  bool perhaps_left_ = false;  // it may be on a disk of which nothing is counted
};

}  // namespace dynamo::core

#pragma once

#include <span>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <dynamo/outcome.h>

#include "causality/version_set.h"
#include "coordinator/replica_tally.h"

namespace dynamo::core {

// A get, where it is coordinated: asks all owners, is done when r of them have answered, and merges
// what they hold (paper, 4.5). Says three things: is it enough, or hopeless? what is the answer?
//
//   asking --r answers--> enough        asking --too few can still answer--> hopeless
//
// "Not found" is an answer like any other, and the result is "absent" only if r owners said so
// (trap D3). A refusal (a damaged record, facts that differ) is not an answer.
//
// Thread safety: one thread at a time.
class GetOperation {
 public:
  GetOperation(std::span<const std::string> owners, int r, Conflict conflict);

  void answered(std::string_view node, const VersionSet& set);  // an empty set: not found
  void refused(std::string_view node, std::string reason);
  void unreachable(std::string_view node, std::string reason);

  bool enough() const { return answers() >= r_; }
  bool hopeless() const { return answers() + tally_.waiting() < r_; }

  const VersionSet& merged() const { return merged_; }
  Outcome outcome() const;
  // Why it failed, with the outcome inside. `code`: UNAVAILABLE or DEADLINE_EXCEEDED.
  absl::Status failure(absl::StatusCode code, std::string_view key, std::string_view after) const;

 private:
  int answers() const;

  ReplicaTally tally_;
  int r_;
  Conflict conflict_;
  VersionSet merged_;
};

}  // namespace dynamo::core

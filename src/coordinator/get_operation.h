#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <dynamo/outcome.h>

#include "causality/version_set.h"
#include "coordinator/replica_tally.h"

namespace dynamo::core {

// A get, where it is coordinated: asks all owners, and stand-ins for those that cannot be reached,
// is done when r of them have answered, and merges what they hold (paper, 4.5, 4.6). Says three
// things: is it enough, or hopeless? what is the answer?
//
//   asking --r answers--> enough        asking --too few can still answer--> hopeless
//
// "Not found" is an answer like any other if an owner says it, and the result is "absent" only if r
// owners said so. From a stand-in it is none: that it was given nothing says nothing (trap D3). A
// refusal (a damaged record, facts that differ) is not an answer.
//
// Thread safety: one thread at a time.
class GetOperation {
 public:
  // `at_least`: what the answer must have seen; more than r owners are waited for if r have not.
  GetOperation(std::span<const std::string> owners, int r, Conflict conflict,
               History at_least = {});

  void answered(std::string_view node, VersionSet set);  // no versions: not found
  void refused(std::string_view node, std::string reason);
  void unreachable(std::string_view node, std::string reason);

  bool enough() const { return answers() >= r_ && covered(); }
  bool hopeless() const;

  // Everybody who was asked has answered, or is not waited for.
  bool complete() const { return tally_.waiting() == 0; }
  // The owners that answered with less than merged(): they get it (read repair).
  std::vector<std::string> behind() const;

  // Who is asked, for StandIns.
  ReplicaTally& tally() { return tally_; }
  const VersionSet& merged() const { return merged_; }
  Outcome outcome() const;
  // Why it failed, with the outcome inside. `code`: UNAVAILABLE or DEADLINE_EXCEEDED.
  absl::Status failure(absl::StatusCode code, std::string_view key, std::string_view after) const;

 private:
  int answers() const;
  bool covered() const { return merged_.history().covers(at_least_); }

  ReplicaTally tally_;
  int r_;
  Conflict conflict_;
  History at_least_;
  VersionSet merged_;
  struct Held {
    std::string owner{};
    VersionSet set{};
  };
  std::vector<Held> held_;  // what each owner said
};

}  // namespace dynamo::core

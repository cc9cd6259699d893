#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <dynamo/outcome.h>

#include "causality/encoded_set.h"
#include "causality/version_set.h"
#include "coordinator/replica_tally.h"

namespace dynamo::core {

// A get, where it is coordinated: asks r owners, others in place of those that fail or are late,
// and stand-ins for those that cannot be reached, is done when r of them have answered, and merges
// what they hold (paper, 4.5, 4.6). Says: who is to be asked next? is it enough, or hopeless? what
// is the answer?
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
  // `owners`: asked from the start. `at_least`: what the answer must have seen; more than r owners
  // are waited for if r have not. `reserve`: owners that are asked when it is their turn, the first
  // choice first; of a partition that is moving all are asked from the start, and there is none.
  GetOperation(const OwnerSides& owners, int r, Conflict conflict, History at_least = {},
               NodeNames reserve = {});
  ~GetOperation();
  GetOperation(const GetOperation&) = delete;
  GetOperation& operator=(const GetOperation&) = delete;

  // No versions: not found.
  void answered(std::string_view node, const EncodedSet& set);
  void refused(std::string_view node, std::string reason);
  void unreachable(std::string_view node, std::string reason);

  // The next owner of the reserve, which from now on counts as asked; nullopt if none is left.
  std::optional<std::string> ask_next();
  // Those that were asked cannot make it enough any more.
  bool falls_short() const;
  bool has_reserve() const { return next_ < reserve_.size(); }

  bool enough() const { return answers() >= r_ && covered(); }
  bool hopeless() const;

  // Everybody who was asked has answered, or is not waited for.
  bool complete() const { return tally_.waiting() == 0; }
  // The owners that answered with less than merged(): they get it (read repair).
  std::vector<std::string> behind() const;

  // Who is asked, for StandIns.
  ReplicaTally& tally() { return tally_; }
  // What all that has been answered comes to.
  const VersionSet& merged() const;
  VersionSet take_merged() &&;
  Outcome outcome() const;
  // Why it failed, with the outcome inside. `code`: UNAVAILABLE or DEADLINE_EXCEEDED.
  absl::Status failure(absl::StatusCode code, std::string_view key, std::string_view after) const;

 private:
  static bool counts(const ReplicaReport& report);
  int answers() const;
  bool covered() const { return at_least_.empty() || merged().history().covers(at_least_); }

  ReplicaTally tally_;
  int r_;
  Conflict conflict_;
  History at_least_;
  NodeNames reserve_;
  std::size_t next_ = 0;  // of the reserve
  // What has been said, each set once, and which of them each owner said. Most often all say the
  // same, and then nothing is decoded but the answer, when it is wanted.
  struct Held {
    std::string owner{};
    std::size_t set = 0;
  };
  absl::InlinedVector<std::string, 2> sets_;
  absl::InlinedVector<Held, 3> held_;
  mutable std::size_t merged_of_ = 0;  // how many of sets_ are in merged_
  mutable VersionSet merged_;
};

}  // namespace dynamo::core

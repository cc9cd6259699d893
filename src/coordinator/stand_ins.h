#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>

#include "base/time.h"
#include "coordinator/replica_tally.h"

namespace dynamo::core {

// Who stands in for which owner of one operation (paper, 4.6): the healthy nodes that follow the
// owners on the preference list, each for one owner that cannot be reached, refuses, or is silent
// for too long. A stand-in that fails, or that has nothing to say, is followed by the next.
//
// Thread safety: one thread at a time.
class StandIns {
 public:
  // `candidates` in the order of the preference list; none for a store that is not sloppy.
  explicit StandIns(std::vector<std::string> candidates) : candidates_(std::move(candidates)) {}

  struct Pair {
    std::string owner{};
    std::string stand_in{};
  };
  // Stand-ins that are to be asked now, for owners that need one. Adds them to the tally.
  std::vector<Pair> choose(ReplicaTally& tally,
                           absl::FunctionRef<bool(std::string_view)> reachable);

  // How long after the start of an operation that may take `timeout` to call note_silent().
  static TimePoint patience(TimePoint timeout) { return std::min(silence_max, timeout / 3); }
  // Whoever was asked and has not been heard of since is replaced, though it may still answer.
  void note_silent(const ReplicaTally& tally, absl::FunctionRef<bool(std::string_view)> heard);

  bool exhausted() const { return next_ == candidates_.size(); }

 private:
  static constexpr TimePoint silence_max = std::chrono::milliseconds(300);

  bool failed(const ReplicaTally& tally, std::string_view node) const;

  std::vector<std::string> candidates_;
  std::size_t next_ = 0;
  std::map<std::string, std::string, std::less<>> stand_in_of_;
  std::set<std::string, std::less<>> silent_;
};

}  // namespace dynamo::core

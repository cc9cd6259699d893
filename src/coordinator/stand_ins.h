#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>

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

  // No word from that node for so long that it is replaced, though it may still answer.
  void silent(std::string_view node) { silent_.emplace(node); }

  bool exhausted() const { return next_ == candidates_.size(); }

 private:
  bool failed(const ReplicaTally& tally, std::string_view node) const;

  std::vector<std::string> candidates_;
  std::size_t next_ = 0;
  std::map<std::string, std::string, std::less<>> stand_in_of_;
  std::set<std::string, std::less<>> silent_;
};

}  // namespace dynamo::core

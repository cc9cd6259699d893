#pragma once

#include <map>
#include <utility>

#include "base/time.h"

namespace dynamo::core {

// For each partition that this node owns: since when all of its owners are known to hold what any
// of them held. That is the start of the last round, run by this node, that compared it with all
// other owners and ended with nothing left to repair; before the first one, the time when this node
// began to own it, which is the most that it can vouch for.
//
// Thread safety: one thread at a time.
class RepairHorizon {
 public:
  void own(int partition, TimePoint now) { partitions_.try_emplace(partition, now); }
  void disown(int partition) { partitions_.erase(partition); }
  // REQUIRES: an own partition.
  void move(int partition, TimePoint round_started) { partitions_.at(partition) = round_started; }

  struct Oldest {
    int partition = 0;
    TimePoint at{};
  };
  // REQUIRES: not empty().
  Oldest oldest() const {
    auto oldest = partitions_.begin();
    for (auto at = oldest; at != partitions_.end(); ++at) {
      if (at->second < oldest->second) oldest = at;
    }
    return {oldest->first, oldest->second};
  }
  bool empty() const { return partitions_.empty(); }
  TimePoint of(int partition) const { return partitions_.at(partition); }

 private:
  std::map<int, TimePoint> partitions_;
};

}  // namespace dynamo::core

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <dynamo/membership.h>
#include <dynamo/status.h>

#include "base/key_hash.h"
#include "base/name_map.h"
#include "ring/placement.h"

namespace dynamo::core {

// Who serves what in one view of the cluster: the ring. A key's hash chooses one of Q equal
// partitions, and each partition has a preference list (paper, 4.2, 4.3, 6.2).
//
// Of a partition that is not moving, the list is the placement of the view's members. While it
// moves, it has current owners and pending ones, as the view says, and both serve. Members that
// have left or were removed are in the view so that they are not forgotten; here there are none of
// them, and of a move's two sides they are left out.
//
// Thread safety: immutable; any thread.
class PartitionMap {
 public:
  // `depth`: the largest n that will be asked for (see place). Moves that make no sense (of no such
  // partition, to no such members) are ignored: a view may have been made by anyone.
  // `before`: the map of another view, whose placement is taken over if it is the same: that is
  // what costs time, and the end of a move does not change it. Null: there is none.
  // REQUIRES: `partitions` is a power of two, 2 to 65,536; `depth` is at least 1.
  PartitionMap(const View& view, int partitions, int depth, const PartitionMap* before = nullptr);

  std::uint64_t view_number() const { return view_number_; }
  int partitions() const { return partitions_; }
  int depth() const { return depth_; }

  // Those of the view that have not left, those that own nothing too, sorted by name. Indices are
  // into this.
  std::span<const Member> members() const { return members_; }
  std::optional<MemberIndex> find(std::string_view name) const;

  // The top bits of the hash, so that a partition is one range of hashes.
  int partition_of(const KeyHash& hash) const {
    return static_cast<int>(hash.high >> (64 - partition_bits_));
  }

  // The current owners for a store of n replicas, the first choice first: n distinct members, fewer
  // if the cluster has fewer that own anything, or while it moves and some of them are gone; nobody
  // then if all n are. Valid as long as the map.
  // REQUIRES: a partition of this ring, 1 <= n <= depth(); so for the next four.
  std::span<const MemberIndex> preference_list(int partition, int n) const;
  // Brings what the above needs near the processor: with a thousand members the lists of all
  // partitions are more than its caches keep.
  void prefetch(const KeyHash& hash) const {
    __builtin_prefetch(placed(partition_of(hash)).data());
  }
  // The owners it is moving to; empty if it is not moving. A member may be on both sides.
  std::span<const MemberIndex> pending_owners(int partition, int n) const;
  // Current and pending ones, each once.
  std::vector<MemberIndex> all_owners(int partition, int n) const;
  // Who keeps hints for unreachable owners: up to n that follow them on the preference list.
  std::vector<MemberIndex> stand_ins(int partition, int n) const;
  bool is_moving(int partition) const { return moves_.contains(partition); }
  std::vector<int> moving() const;  // those that are
  // Of the names of its owners, current and pending: equal if nodes mean the same owners, and the
  // same move, whatever the numbers of their views are.
  std::uint64_t owners_mark(int partition, int n) const;
  // Of both sides of its move, for all n, and of when it began; 0 if it is not moving.
  std::uint64_t move_mark(int partition) const;

  // For people: the first n names of each partition.
  RingView ring_view(int n) const;

 private:
  struct Side {
    std::vector<MemberIndex> members{};
    std::vector<std::size_t> up_to{};  // of the first 1, 2, ... places, how many are still there
    std::span<const MemberIndex> first(int n) const;
  };
  struct Moving {
    std::uint64_t begun = 0;
    Side current{};
    Side pending{};
  };

  Side side(std::span<const std::string> names) const;
  void add(const Move& move);
  std::span<const MemberIndex> placed(int partition) const;
  std::uint64_t mark(std::span<const MemberIndex> current, std::span<const MemberIndex> pending,
                     std::uint64_t begun) const;

  const std::uint64_t view_number_;
  const int partitions_;
  const int partition_bits_;
  const int depth_;
  std::vector<Member> members_;
  NameMap<MemberIndex> indices_;                      // of them
  std::shared_ptr<const PreferenceLists> placement_;  // with the map before, if it is the same
  std::map<int, Moving> moves_;
};

}  // namespace dynamo::core

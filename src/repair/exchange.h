#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include <absl/status/status.h>

#include "repair/partition_records.h"
#include "wire/exchange_messages.h"

namespace dynamo::core {

// One comparison of a partition of a store with one other owner, from the side that asks. It finds
// what differs and makes both sides hold both: when it is done, each has merged all that the other
// held when it began.
//
//   trees: subtrees whose digests differ -----> leaves: keys under them -----> sets, both ways
//     ^  equal: done                              ^                              |
//     +-------------------------------------------+------------------------------+
//
// The cost follows the differences: what is equal is passed over at the highest node that says so,
// and what has been found is repaired before more is looked for, so that little is remembered. A
// subtree that one side does not have at all is not descended into; its keys are listed at once.
//
// Sets are merged, never stored because they look newer. Writes go on meanwhile on both sides; what
// they change may or may not be seen, and is on its way by itself.
//
// Thread safety: one thread at a time.
class Exchange {
 public:
  using Request = std::variant<TreeRequest, LeafRequest, SetsRequest>;

  // give: this side keeps nothing of what the other one has; it is giving up what it holds.
  enum class Kind { both_ways, give };
  explicit Exchange(ExchangeScope scope, Kind kind = Kind::both_ways)
      : scope_(std::move(scope)), kind_(kind) {}

  // What to ask next; `operation` is the caller's to fill in. Nullopt: the exchange is done.
  // REQUIRES: the last request was answered.
  std::optional<Request> next(PartitionRecords& records);

  // The answer to it. An error says what ends the exchange; UNAVAILABLE: it may be tried again.
  absl::Status take(const TreeReply& reply, PartitionRecords& records);
  absl::Status take(const LeafReply& reply, PartitionRecords& records);
  absl::Status take(const SetsReply& reply, PartitionRecords& records);

  const ExchangeScope& scope() const { return scope_; }
  // Whether the other side had anything that this one had not.
  bool received() const { return received_; }
  // Keys that differed so far.
  std::size_t differences() const { return differences_; }

 private:
  TreeRequest ask_tree(const PartitionRecords& records);
  LeafRequest ask_leaves(const PartitionRecords& records);
  SetsRequest ask_sets(PartitionRecords& records);
  void compare(const std::vector<KeyDigest>& mine, const std::vector<KeyDigest>& theirs,
               const KeyHash& covered);
  void drop_leaves(const KeyHash& covered, const PartitionRecords& records);

  ExchangeScope scope_;
  Kind kind_;
  bool begun_ = false;
  std::deque<TreeNode> nodes_;     // differ, to be descended into
  std::vector<NodeDigest> asked_;  // of them, what the other side has been asked about
  std::deque<TreeNode> leaves_;    // differ, their keys to be compared; the first ones are asked
  std::size_t leaves_asked_ = 0;   // how many
  KeyHash from_{};                 // in the first of them
  std::deque<KeyHash> push_;       // sets to be sent
  std::deque<KeyHash> want_;       // sets to be had; the first ones are asked for
  std::size_t wanted_ = 0;         // how many
  bool received_ = false;
  std::size_t differences_ = 0;
};

}  // namespace dynamo::core

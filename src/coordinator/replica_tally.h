#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/inlined_vector.h>
#include <dynamo/outcome.h>

#include "base/mutant.h"

namespace dynamo::core {

// Of the nodes of one operation: without an allocation for as many as most stores have replicas.
using NodeNames = absl::InlinedVector<std::string, 3>;

// Who owns a key: of a partition that is moving, on both of its sides (ring/partition_map.h).
struct OwnerSides {
  OwnerSides() = default;
  OwnerSides(const std::vector<std::string>& owners)  // NOLINT: settled
      : current(owners.begin(), owners.end()) {}
  OwnerSides(NodeNames from, NodeNames to) : current(std::move(from)), pending(std::move(to)) {}

  NodeNames current{};
  NodeNames pending{};  // empty: it is not moving

  NodeNames all() const;  // each once
  // What the larger side has.
  std::size_t size() const { return std::max(current.size(), pending.size()); }
};

// Known mistakes: that one side alone is counted. As it is otherwise.
#ifdef DYNAMO_MUTANTS
OwnerSides mistaken(OwnerSides owners, Mutant old_side, Mutant new_side);
#else
inline const OwnerSides& mistaken(const OwnerSides& owners, Mutant, Mutant) { return owners; }
#endif

// Who of the replicas asked has said what. Answers are counted by node (trap D1).
//
// Of a moving partition they are counted on each of its sides; an owner on both counts for both,
// and so does who stands in for it. An owner and those who stand in for it count once: what they
// keep they hand to it, and then it is one copy. A side that has fewer owners than are needed needs
// all of them: the quorum that was there before had no more.
//
// Thread safety: one thread at a time.
class ReplicaTally {
 public:
  using Answer = ReplicaReport::Answer;

  using Role = ReplicaReport::Role;

  // `owners`: asked from the start.
  explicit ReplicaTally(const OwnerSides& owners);

  // One more is asked, for that owner. Nothing happens if it was already.
  void add_stand_in(std::string_view node, std::string_view owner);
  // The same, for all owners.
  void add(std::string_view node, Role role) { add(node, role, both_sides, node); }
  // Null if the node was not asked.
  const ReplicaReport* find(std::string_view node) const;

  // Notes an answer, and returns whether it is news: the first from that node, or a better one
  // (synced after stored, anything after unreachable).
  bool note(std::string_view node, Answer answer, std::string reason = {});
  // A node that had the write in memory has failed to sync it, and no longer has it.
  void retract(std::string_view node, std::string reason);
  int count(Answer answer) const;
  // How many of `needed` have said what `counts` accepts. `needed` or more: on every side as many
  // as it needs.
  template <class Counts>
  int reached(int needed, Counts counts) const;
  // Asked, and neither answered nor given up.
  int waiting() const { return count(Answer::no_answer); }
  std::span<const ReplicaReport> reports() const { return reports_; }
  std::vector<ReplicaReport> copied_reports() const { return {reports_.begin(), reports_.end()}; }

 private:
  static constexpr std::uint8_t current_side = 1;
  static constexpr std::uint8_t pending_side = 2;
  static constexpr std::uint8_t both_sides = current_side | pending_side;

  void add(std::string_view node, Role role, std::uint8_t sides, std::string_view place);
  // Whether an earlier one has been counted in the place of this one.
  template <class Counts>
  bool counted(std::size_t i, Counts counts) const;

  absl::InlinedVector<ReplicaReport, 3> reports_;  // in the order asked
  absl::InlinedVector<std::uint8_t, 8> sides_;     // of each, for which it counts
  absl::InlinedVector<std::size_t, 8> places_;     // of each, whose place: its own, or an owner's
  int current_;                                    // how many owners there are on each
  int pending_;
};

template <class Counts>
bool ReplicaTally::counted(std::size_t i, Counts counts) const {
  if (places_[i] == i) return false;  // owners come first
  for (std::size_t j = 0; j < i; ++j) {
    if (places_[j] == places_[i] && counts(reports_[j])) return true;
  }
  return false;
}

template <class Counts>
int ReplicaTally::reached(int needed, Counts counts) const {
  int on_current = 0;
  int on_pending = 0;
  for (std::size_t i = 0; i < reports_.size(); ++i) {
    if (!counts(reports_[i]) || counted(i, counts)) continue;
    on_current += (sides_[i] & current_side) != 0 ? 1 : 0;
    on_pending += (sides_[i] & pending_side) != 0 ? 1 : 0;
  }
  if (pending_ == 0) return on_current;
  const int of_largest = std::min(needed, std::max(current_, pending_));
  const int missing_current = std::min(of_largest, current_) - on_current;
  const int missing_pending = std::min(of_largest, pending_) - on_pending;
  return of_largest - std::max(missing_current, missing_pending);
}

}  // namespace dynamo::core

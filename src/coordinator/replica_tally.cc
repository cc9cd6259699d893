#include "coordinator/replica_tally.h"

#include <algorithm>
#include <utility>

namespace dynamo::core {

NodeNames OwnerSides::all() const {
  NodeNames names = current;
  for (const std::string& name : pending) {
    if (std::ranges::find(current, name) == current.end()) names.push_back(name);
  }
  return names;
}

#ifdef DYNAMO_MUTANTS
OwnerSides mistaken(OwnerSides owners, Mutant old_side, Mutant new_side) {
  if (owners.pending.empty()) return owners;
  if (mutated(old_side)) return {std::move(owners.current), {}};
  if (mutated(new_side)) return {std::move(owners.pending), {}};
  return owners;
}
#endif

ReplicaTally::ReplicaTally(const OwnerSides& owners)
    : current_(static_cast<int>(owners.current.size())),
      pending_(static_cast<int>(owners.pending.size())) {
  for (const std::string& owner : owners.current) add(owner, Role::primary, current_side, owner);
  for (const std::string& owner : owners.pending) {
    const auto at = std::ranges::find(reports_, owner, &ReplicaReport::node);
    if (at == reports_.end()) {
      add(owner, Role::primary, pending_side, owner);
    } else {
      sides_[static_cast<std::size_t>(at - reports_.begin())] = both_sides;
    }
  }
}

void ReplicaTally::add(std::string_view node, Role role, std::uint8_t sides,
                       std::string_view place) {
  if (find(node) != nullptr) return;
  const auto at = std::ranges::find(reports_, place, &ReplicaReport::node);
  places_.push_back(static_cast<std::size_t>(at - reports_.begin()));  // itself: the next one
  reports_.push_back({.node = std::string(node), .role = role});
  sides_.push_back(sides);
}

void ReplicaTally::add_stand_in(std::string_view node, std::string_view owner) {
  const auto at = std::ranges::find(reports_, owner, &ReplicaReport::node);
  if (at == reports_.end()) return;
  add(node, Role::stand_in, sides_[static_cast<std::size_t>(at - reports_.begin())], owner);
}

const ReplicaReport* ReplicaTally::find(std::string_view node) const {
  const auto at = std::ranges::find(reports_, node, &ReplicaReport::node);
  return at == reports_.end() ? nullptr : &*at;
}

bool ReplicaTally::note(std::string_view node, Answer answer, std::string reason) {
  const auto at = std::ranges::find(reports_, node, &ReplicaReport::node);
  if (at == reports_.end()) return false;
  const bool open = at->answer == Answer::no_answer ||
                    (at->answer == Answer::unreachable && answer != Answer::unreachable);
  const bool better = at->answer == Answer::stored && answer == Answer::synced;
  if (!open && !better) return false;
  at->answer = answer;
  at->reason = std::move(reason);
  return true;
}

void ReplicaTally::retract(std::string_view node, std::string reason) {
  const auto at = std::ranges::find(reports_, node, &ReplicaReport::node);
  if (at == reports_.end() || at->answer != Answer::stored) return;
  at->answer = Answer::refused;
  at->reason = std::move(reason);
}

int ReplicaTally::count(Answer answer) const {
  return static_cast<int>(std::ranges::count(reports_, answer, &ReplicaReport::answer));
}

}  // namespace dynamo::core

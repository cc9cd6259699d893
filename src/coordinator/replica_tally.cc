#include "coordinator/replica_tally.h"

#include <algorithm>
#include <utility>

namespace dynamo::core {

ReplicaTally::ReplicaTally(std::span<const std::string> owners) {
  reports_.reserve(owners.size());
  for (const std::string& owner : owners) reports_.push_back({.node = owner});
}

void ReplicaTally::add(std::string_view node, Role role) {
  if (find(node) == nullptr) reports_.push_back({.node = std::string(node), .role = role});
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

int ReplicaTally::count(Answer answer, Role role) const {
  return static_cast<int>(std::ranges::count_if(reports_, [&](const ReplicaReport& report) {
    return report.answer == answer && report.role == role;
  }));
}

}  // namespace dynamo::core

#include "coordinator/stand_ins.h"

#include <utility>

namespace dynamo::core {

using Answer = ReplicaReport::Answer;
using Role = ReplicaReport::Role;

bool StandIns::failed(const ReplicaTally& tally, std::string_view node) const {
  const ReplicaReport* report = tally.find(node);
  if (report == nullptr) return true;
  switch (report->answer) {
    case Answer::refused:
    case Answer::unreachable:
      return true;
    case Answer::not_found:
      return report->role == Role::stand_in;  // it may hold what another stand-in was given
    case Answer::no_answer:
      return silent_.contains(node);
    case Answer::stored:
    case Answer::synced:
    case Answer::found:
      return false;
  }
  return false;
}

void StandIns::note_silent(const ReplicaTally& tally,
                           absl::FunctionRef<bool(std::string_view)> heard) {
  for (const ReplicaReport& report : tally.reports()) {
    if (!heard(report.node)) silent_.insert(report.node);
  }
}

std::vector<StandIns::Pair> StandIns::choose(ReplicaTally& tally,
                                             absl::FunctionRef<bool(std::string_view)> reachable) {
  std::vector<Pair> chosen;
  if (exhausted()) return chosen;
  std::vector<std::string> missing;
  for (const ReplicaReport& report : tally.reports()) {
    if (report.role != Role::primary || !failed(tally, report.node)) continue;
    const auto at = stand_in_of_.find(report.node);
    if (at == stand_in_of_.end() || failed(tally, at->second)) missing.push_back(report.node);
  }
  for (std::string& owner : missing) {
    while (next_ < candidates_.size() && !reachable(candidates_[next_])) ++next_;
    if (exhausted()) break;
    const std::string& stand_in = candidates_[next_++];
    tally.add_stand_in(stand_in, owner);
    stand_in_of_.insert_or_assign(owner, stand_in);
    chosen.push_back({std::move(owner), stand_in});
  }
  return chosen;
}

}  // namespace dynamo::core

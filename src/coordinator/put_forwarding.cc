#include "coordinator/put_forwarding.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "coordinator/outcome.h"

namespace dynamo::core {

using Answer = ReplicaReport::Answer;

PutForwarding::PutForwarding(NodeNames owners, TimePoint deadline)
    : owners_(std::move(owners)), deadline_(deadline) {}

std::optional<PutForwarding::Attempt> PutForwarding::next(TimePoint now) {
  if (tried_ == owners_.size()) {
    give_up_ = deadline_;
    return std::nullopt;
  }
  const bool first = tried_ == 0;
  const std::string& owner = owners_[tried_++];
  reports_.push_back({.node = owner});
  questions_.push_back(1);
  give_more_time(now);
  return Attempt{.owner = owner, .first = first, .give_up = give_up_};
}

// What is left of the time is shared among this one and those that are left to try.
void PutForwarding::give_more_time(TimePoint now) {
  const auto left = std::max(deadline_ - now, TimePoint{0});
  give_up_ = now + left / static_cast<std::int64_t>(owners_.size() - tried_ + 1);
}

void PutForwarding::skip(std::span<const std::string> nodes) {
  const auto untried = owners_.begin() + static_cast<std::ptrdiff_t>(tried_);
  owners_.erase(std::remove_if(untried, owners_.end(),
                               [&](const std::string& node) {
                                 return std::ranges::find(nodes, node) != nodes.end();
                               }),
                owners_.end());
}

void PutForwarding::retarget(const NodeNames& owners) {
  owners_.resize(tried_);
  for (const std::string& owner : owners) {
    if (std::ranges::find(owners_, owner) == owners_.end()) owners_.push_back(owner);
  }
}

std::size_t PutForwarding::place_of(std::string_view owner) const {
  const auto at = std::ranges::find(reports_, owner, &ReplicaReport::node);
  return static_cast<std::size_t>(at - reports_.begin());
}

void PutForwarding::not_taken(std::string_view owner, std::string reason) {
  const std::size_t at = place_of(owner);
  if (at == reports_.size()) return;
  if (--questions_[at] <= 0) reports_[at].answer = Answer::refused;
  reports_[at].reason = std::move(reason);
}

void PutForwarding::silent(std::string_view owner) {
  const std::size_t at = place_of(owner);
  if (at == reports_.size() || reports_[at].answer != Answer::no_answer) return;
  reports_[at].reason = "asked to coordinate";
}

absl::Status PutForwarding::failed(std::string_view coordinator, const absl::Status& status,
                                   Outcome outcome) {
  const std::size_t at = place_of(coordinator);
  if (at < reports_.size() && --questions_[at] <= 0) {
    reports_.erase(reports_.begin() + static_cast<std::ptrdiff_t>(at));
    questions_.erase(questions_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  if (outcome.verdict != Outcome::Verdict::not_applied || !waiting()) {
    return with_outcome(status, outcome);
  }
  std::string silent;
  for (const ReplicaReport& report : reports_) {
    if (report.answer != Answer::no_answer) continue;
    silent += (silent.empty() ? "" : ", ") + report.node;
    if (std::ranges::find(outcome.replicas, report.node, &ReplicaReport::node) ==
        outcome.replicas.end()) {
      outcome.replicas.push_back(report);
    }
  }
  outcome.verdict = Outcome::Verdict::unknown;
  return with_outcome(
      absl::Status(status.code(), fmt::format("{}; it was handed to {} before, without an answer",
                                              std::string(status.message()), silent)),
      outcome);
}

bool PutForwarding::waiting() const {
  return std::ranges::count(reports_, Answer::no_answer, &ReplicaReport::answer) > 0;
}

Outcome PutForwarding::outcome(const WriteId& id) const {
  return {.verdict = waiting() ? Outcome::Verdict::unknown : Outcome::Verdict::not_applied,
          .id = id,
          .replicas = {reports_.begin(), reports_.end()}};
}

absl::Status PutForwarding::failure(absl::StatusCode code, std::string_view key, const WriteId& id,
                                    std::string_view after) const {
  const Outcome outcome = this->outcome(id);
  return with_outcome(
      absl::Status(code, fmt::format("put {}: no owner of the key coordinated it{} ({})",
                                     quote(key), after, to_string(outcome))),
      outcome);
}

}  // namespace dynamo::core

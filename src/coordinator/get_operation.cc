#include "coordinator/get_operation.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "base/spare_buffers.h"
#include "coordinator/outcome.h"

namespace dynamo::core {

using Answer = ReplicaReport::Answer;

GetOperation::GetOperation(const OwnerSides& owners, int r, Conflict conflict, History at_least,
                           NodeNames reserve)
    : tally_(owners),
      r_(r),
      conflict_(conflict),
      at_least_(std::move(at_least)),
      reserve_(std::move(reserve)) {}

GetOperation::~GetOperation() {
  for (std::string& set : sets_) SpareBuffers::give(std::move(set));
}

std::optional<std::string> GetOperation::ask_next() {
  if (!has_reserve()) return std::nullopt;
  const std::string& owner = reserve_[next_++];
  tally_.add(owner, ReplicaReport::Role::primary);
  return owner;
}

bool GetOperation::hopeless() const { return !has_reserve() && falls_short(); }

bool GetOperation::counts(const ReplicaReport& report) {
  if (report.answer == Answer::found) return true;
  if (report.answer != Answer::not_found) return false;
  return report.role == ReplicaReport::Role::primary || mutated(Mutant::stand_in_not_found_counts);
}

int GetOperation::answers() const {
  return tally_.reached(r_, [](const ReplicaReport& report) { return counts(report); });
}

bool GetOperation::falls_short() const {
  const int possible = tally_.reached(r_, [](const ReplicaReport& report) {
    return counts(report) || report.answer == Answer::no_answer;
  });
  return possible < r_ || (tally_.waiting() == 0 && !covered());
}

void GetOperation::answered(std::string_view node, const EncodedSet& set) {
  if (!tally_.note(node, set.has_versions() ? Answer::found : Answer::not_found)) return;
  const auto at = std::ranges::find(sets_, set.bytes());
  const auto index = static_cast<std::size_t>(at - sets_.begin());
  if (at == sets_.end()) {
    sets_.push_back(SpareBuffers::take(set.bytes().size()));
    sets_.back().assign(set.bytes());
  }
  if (tally_.find(node)->role == ReplicaReport::Role::primary) {
    held_.push_back({std::string(node), index});
  }
}

const VersionSet& GetOperation::merged() const {
  for (; merged_of_ < sets_.size(); ++merged_of_) {
    merged_.merge(EncodedSet::in_place(sets_[merged_of_]).decode(), conflict_);
  }
  return merged_;
}

VersionSet GetOperation::take_merged() && {
  merged();
  return std::move(merged_);
}

std::vector<std::string> GetOperation::behind() const {
  std::vector<std::string> owners;
  if (sets_.size() == 1 && EncodedSet::in_place(sets_[0]).version_count() < 2) return owners;
  const EncodedSet all(merged());
  for (const Held& held : held_) {
    if (sets_[held.set] != all.bytes()) owners.push_back(held.owner);
  }
  return owners;
}

void GetOperation::refused(std::string_view node, std::string reason) {
  tally_.note(node, Answer::refused, std::move(reason));
}

void GetOperation::unreachable(std::string_view node, std::string reason) {
  tally_.note(node, Answer::unreachable, std::move(reason));
}

Outcome GetOperation::outcome() const {
  return {.verdict = answers() >= r_ ? Outcome::Verdict::applied : Outcome::Verdict::not_applied,
          .replicas = tally_.copied_reports()};
}

absl::Status GetOperation::failure(absl::StatusCode code, std::string_view key,
                                   std::string_view after) const {
  const Outcome outcome = this->outcome();
  const std::string_view stale =
      answers() >= r_ && !covered() ? ", but together they have not seen all of at_least" : "";
  return with_outcome(
      absl::Status(code, fmt::format("get {}: {} of r={} replicas answered{}{} ({})", quote(key),
                                     answers(), r_, after, stale, to_string(outcome))),
      outcome);
}

}  // namespace dynamo::core

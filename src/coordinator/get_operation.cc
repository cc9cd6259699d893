#include "coordinator/get_operation.h"

#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "coordinator/outcome.h"

namespace dynamo::core {

using Answer = ReplicaReport::Answer;

GetOperation::GetOperation(std::span<const std::string> owners, int r, Conflict conflict,
                           History at_least)
    : tally_(owners), r_(r), conflict_(conflict), at_least_(std::move(at_least)) {}

bool GetOperation::hopeless() const {
  const int waiting = tally_.waiting();
  return answers() + waiting < r_ || (waiting == 0 && !covered());
}

int GetOperation::answers() const {
  if (mutated(Mutant::stand_in_not_found_counts)) {
    return tally_.count(Answer::found) + tally_.count(Answer::not_found);
  }
  return tally_.count(Answer::found) +
         tally_.count(Answer::not_found, ReplicaReport::Role::primary);
}

void GetOperation::answered(std::string_view node, VersionSet set) {
  const bool found = !set.versions().empty();
  if (!tally_.note(node, found ? Answer::found : Answer::not_found)) return;
  merged_.merge(set, conflict_);
  if (tally_.find(node)->role == ReplicaReport::Role::primary) {
    held_.push_back({std::string(node), std::move(set)});
  }
}

std::vector<std::string> GetOperation::behind() const {
  std::vector<std::string> owners;
  for (const Held& held : held_) {
    if (held.set != merged_) owners.push_back(held.owner);
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
          .replicas = tally_.reports()};
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

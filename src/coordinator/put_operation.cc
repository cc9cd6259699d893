#include "coordinator/put_operation.h"

#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "coordinator/outcome.h"

namespace dynamo::core {

using Answer = ReplicaReport::Answer;

PutOperation::PutOperation(const OwnerSides& owners, int w, bool synced)
    : tally_(owners), w_(w), synced_(synced) {}

bool PutOperation::took(const ReplicaReport& report) const {
  const bool weak = !synced_ || mutated(Mutant::stored_counts_as_synced);
  return report.answer == Answer::synced || (weak && report.answer == Answer::stored);
}

int PutOperation::taken() const {
  const int more = mutated(Mutant::coordinator_counts_twice) ? 1 : 0;
  return tally_.reached(w_, [this](const ReplicaReport& report) { return took(report); }) + more;
}

void PutOperation::stored(std::string_view node) { tally_.note(node, Answer::stored); }

void PutOperation::synced(std::string_view node) { tally_.note(node, Answer::synced); }

void PutOperation::refused(std::string_view node, std::string reason) {
  tally_.note(node, Answer::refused, std::move(reason));
}

void PutOperation::local_failed(std::string_view node, std::string reason, Left left) {
  tally_.retract(node, std::move(reason));
  perhaps_left_ = perhaps_left_ || left == Left::perhaps;
}

void PutOperation::unreachable(std::string_view node, std::string reason) {
  tally_.note(node, Answer::unreachable, std::move(reason));
}

bool PutOperation::hopeless() const {
  // In a synced store, a replica that has the write in memory may still sync it.
  const int possible = tally_.reached(w_, [this](const ReplicaReport& report) {
    return took(report) || report.answer == Answer::no_answer || report.answer == Answer::stored;
  });
  return possible < w_;
}

Outcome PutOperation::outcome(const WriteId& id) const {
  using Verdict = Outcome::Verdict;
  const int somewhere = tally_.count(Answer::stored) + tally_.count(Answer::synced);
  Verdict verdict = Verdict::not_applied;
  if (enough()) {
    verdict = Verdict::applied;
  } else if (somewhere > 0) {
    verdict = Verdict::applied_below_quorum;
  } else if (perhaps_left_ || tally_.waiting() + tally_.count(Answer::unreachable) > 0) {
    // An unreachable replica was sent the write all the same; only its answer was not waited for.
    verdict = Verdict::unknown;
  }
  return {.verdict = verdict, .id = id, .replicas = tally_.copied_reports()};
}

absl::Status PutOperation::failure(absl::StatusCode code, std::string_view key, const WriteId& id,
                                   std::string_view after) const {
  const Outcome outcome = this->outcome(id);
  return with_outcome(
      absl::Status(code,
                   fmt::format("put {}: {} of w={} replicas {} it{} ({})", quote(key), taken(), w_,
                               synced_ ? "synced" : "stored", after, to_string(outcome))),
      outcome);
}

}  // namespace dynamo::core

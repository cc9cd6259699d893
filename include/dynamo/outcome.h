#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/export.h>

namespace dynamo {

// Names one write across forwards and retries: the same id is the same write (trap A8).
//
// Thread safety: a value.
struct WriteId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  // A fresh id. It carries the time it was drawn, so that a retry with the same id under
  // last_write_wins() competes with the clock of its first attempt and never beats what has
  // overwritten it since.
  DYNAMO_EXPORT static WriteId random();
  bool is_zero() const { return high == 0 && low == 0; }
  friend auto operator<=>(const WriteId&, const WriteId&) = default;
};

// What one replica said.
struct ReplicaReport {
  std::string node{};
  // primary: one of the key's n owners. stand_in: took the write for an owner that could not be
  // reached.
  enum class Role { primary, stand_in } role = Role::primary;
  // stored: accepted, in memory (Durability::buffered). synced: accepted and on stable storage.
  // found and not_found: answers to a get. refused: it answered no, see `reason`. unreachable:
  // nothing has been heard from it for so long that it was not waited for. no_answer: asked, silent
  // so far; a write may be there.
  enum class Answer {
    stored,
    synced,
    found,
    not_found,
    refused,
    unreachable,
    no_answer
  } answer = Answer::no_answer;
  std::string reason{};  // for refused, unreachable and some no_answer
};

// What happened to an operation, replica by replica, as far as this node knows.
//
// Thread safety: a value.
struct Outcome {
  // Of a put. not_applied: no replica took it, and none will (but over a transport that repeats a
  // packet much later, which TCP does not: what was refused the first time may be taken the second
  // time). applied_below_quorum: some took it,
  // fewer than w; it may spread. applied: w or more took it. unknown: some replica has not answered
  // and may have taken it. Of a get: applied if r replicas answered, not_applied otherwise.
  enum class Verdict {
    not_applied,
    applied_below_quorum,
    applied,
    unknown
  } verdict = Verdict::unknown;
  // Of a put: the id it ran under. Pass it in WriteOptions::id to retry without writing twice.
  WriteId id{};
  std::vector<ReplicaReport> replicas{};
};

// "b: stored; c: unreachable: silent for 3.1 s": one clause a replica.
DYNAMO_EXPORT std::string to_string(const Outcome& outcome);
DYNAMO_EXPORT std::string_view to_string(ReplicaReport::Answer answer);
DYNAMO_EXPORT std::string_view to_string(Outcome::Verdict verdict);

// The outcome of a failed call, or nullopt if the call never reached a replica.
DYNAMO_EXPORT std::optional<Outcome> outcome_of(const absl::Status& status);
template <class T>
std::optional<Outcome> outcome_of(const absl::StatusOr<T>& result) {
  if (result.ok()) return result->outcome;
  return outcome_of(result.status());
}

}  // namespace dynamo

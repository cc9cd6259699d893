#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <dynamo/outcome.h>

#include "base/time.h"
#include "coordinator/replica_tally.h"

namespace dynamo::core {

// A put at the node that was asked for it: hands it to one owner after another, and then to
// stand-ins, always under the same write id, until one says what became of it (paper, 4.5; traps
// A8, D7). That one coordinates; it never hands on.
//
// An owner that is silent may have written: its reply still counts if it comes late, and the
// outcome stays `unknown` if none comes.
//
// Thread safety: one thread at a time.
class PutForwarding {
 public:
  // `owners` in the order to try them.
  PutForwarding(NodeNames owners, TimePoint deadline);

  struct Attempt {
    std::string owner{};
    bool first = false;   // no other was ever sent
    TimePoint give_up{};  // when to try the next one
  };
  // The next attempt, or nullopt if every owner has been tried.
  std::optional<Attempt> next(TimePoint now);

  // These are not to be tried, unless they have been.
  void skip(std::span<const std::string> nodes);

  // The key has other owners now: they come in the place of those that have not been tried.
  void retarget(const NodeNames& owners);

  // The owner that was last tried is alive, only slow: wait for it until the deadline.
  void be_patient() { give_up_ = deadline_; }

  // The owner that was last tried gets as much of the time as each of those that are left to try.
  void give_more_time(TimePoint now);

  // The owner that was last tried is asked a second time. Until it has refused twice, it may take
  // what it has not refused yet.
  void ask_again() { ++questions_.back(); }

  // It is not waited for any longer than this.
  void give_up_at(TimePoint at) { give_up_ = std::min(give_up_, at); }

  // What an owner said to one question, or did not.
  void not_taken(std::string_view owner, std::string reason);
  void silent(std::string_view owner);

  // What `coordinator` says has become of the put. That it was not applied is true of that attempt:
  // whoever is still silent may have written it.
  absl::Status failed(std::string_view coordinator, const absl::Status& status, Outcome outcome);

  // Some attempt is without a reply.
  bool waiting() const;
  TimePoint give_up() const { return give_up_; }
  TimePoint deadline() const { return deadline_; }
  Outcome outcome(const WriteId& id) const;
  absl::Status failure(absl::StatusCode code, std::string_view key, const WriteId& id,
                       std::string_view after) const;

 private:
  std::size_t place_of(std::string_view owner) const;  // among the reports, or behind them

  NodeNames owners_;
  TimePoint deadline_;
  TimePoint give_up_{};
  std::size_t tried_ = 0;
  absl::InlinedVector<ReplicaReport, 1> reports_;  // most often the first one takes it
  absl::InlinedVector<int, 1> questions_;          // to each of those, that are unanswered
};

}  // namespace dynamo::core

#pragma once

#include <compare>
#include <cstdint>
#include <map>

#include <absl/functional/any_invocable.h>

#include "base/time.h"

namespace dynamo::testing {

// Virtual time, and what happens in it. Events run one by one, ordered by the time they are due and
// then by the order in which they were scheduled; between two events time jumps.
//
// Thread safety: one thread.
class SimScheduler {
 public:
  using Event = absl::AnyInvocable<void()>;
  // Names a scheduled event; the order of tickets is the order of events.
  struct Ticket {
    core::TimePoint at{};
    std::uint64_t sequence = 0;  // 0: no event
    friend auto operator<=>(const Ticket&, const Ticket&) = default;
  };

  core::TimePoint now() const { return now_; }
  // `duration` from now; the end of time if that is later.
  core::TimePoint after(core::TimePoint duration) const;

  // A time in the past means now. The event may schedule, cancel, and run others.
  Ticket schedule(core::TimePoint at, Event event);
  // Without effect if the event has begun.
  void cancel(const Ticket& ticket);

  // Runs the next event if it is due at `limit` or before, and returns true. Otherwise lets time
  // pass until `limit` and returns false. Throws std::runtime_error if time has stood still for a
  // million events: real processes that did this would eat their machines.
  bool step(core::TimePoint limit);
  // An event is running.
  bool running() const { return running_ > 0; }

  // The end: all events are destroyed, later ones at once.
  void close();

 private:
  core::TimePoint now_{};
  std::uint64_t last_sequence_ = 0;
  std::uint64_t in_this_instant_ = 0;
  int running_ = 0;
  bool closed_ = false;
  std::map<Ticket, Event> events_;
};

}  // namespace dynamo::testing

#include "testing/sim_scheduler.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>

namespace dynamo::testing {

using core::TimePoint;

namespace {

// No turn of a cluster takes nearly as many.
constexpr std::uint64_t instant_events_max = 1'000'000;

}  // namespace

TimePoint SimScheduler::after(TimePoint duration) const {
  return duration > TimePoint::max() - now_ ? TimePoint::max() : now_ + duration;
}

SimScheduler::Ticket SimScheduler::schedule(TimePoint at, Event event) {
  if (closed_) return {};
  const Ticket ticket{std::max(at, now_), ++last_sequence_};
  events_.emplace(ticket, std::move(event));
  return ticket;
}

void SimScheduler::cancel(const Ticket& ticket) { events_.erase(ticket); }

bool SimScheduler::step(TimePoint limit) {
  if (events_.empty() || events_.begin()->first.at > limit) {
    now_ = std::max(now_, limit);
    return false;
  }
  auto next = events_.extract(events_.begin());
  in_this_instant_ = next.key().at == now_ ? in_this_instant_ + 1 : 0;
  now_ = next.key().at;
  if (in_this_instant_ > instant_events_max) {
    throw std::runtime_error(fmt::format(
        "the simulated time stands at {} ns: {} events are due in this instant, and each brings "
        "another; something wakes itself without end",
        now_.count(), in_this_instant_));
  }
  ++running_;
  const absl::Cleanup done = [this] { --running_; };  // events may throw: a handler's exception
  next.mapped()();
  return true;
}

void SimScheduler::close() {
  closed_ = true;
  // What is destroyed may schedule or cancel.
  const auto events = std::exchange(events_, {});
}

}  // namespace dynamo::testing

#include "testing/sim_environment.h"

#include <utility>

#include "host/host.h"

namespace dynamo::testing {

namespace {

using core::TimePoint;

// 14 October 2007, the first day of the conference that the paper was presented at.
constexpr std::chrono::microseconds wall_start = std::chrono::seconds(1'192'320'000);

}  // namespace

SimEnvironment::SimEnvironment(std::shared_ptr<SimContext> context, std::uint64_t seed)
    : context_(std::move(context)), prng_(seed) {}

core::Now SimEnvironment::now() const {
  const TimePoint now = context_->scheduler().now();
  const auto wall =
      wall_start + wall_offset_ + std::chrono::duration_cast<std::chrono::microseconds>(now);
  return {now, wall.count()};
}

SimScheduler::Ticket SimEnvironment::schedule(TimePoint at, void (host::Host::*method)()) {
  return context_->scheduler().schedule(at, [host = host_, method] {
    if (*host != nullptr) ((*host)->*method)();
  });
}

void SimEnvironment::wake() { schedule(context_->scheduler().now(), &host::Host::turn); }

void SimEnvironment::wake_at(TimePoint at) {
  context_->scheduler().cancel(turn_);
  turn_ = at == TimePoint::max() ? SimScheduler::Ticket() : schedule(at, &host::Host::turn);
}

void SimEnvironment::flush_at(TimePoint at) {
  const bool pending = flush_.sequence != 0;
  if (at == TimePoint::max() || (pending && flush_.at <= at)) return;
  if (pending) context_->scheduler().cancel(flush_);
  // The ticket is forgotten before the flush, which may ask for the next one.
  flush_ = context_->scheduler().schedule(at, [this, host = host_] {
    if (*host == nullptr) return;
    flush_ = {};
    (*host)->flush();
  });
}

asio::any_io_executor SimEnvironment::executor() const { return context_->get_executor(); }

absl::Status SimEnvironment::may_block() const {
  if (!context_->scheduler().running()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "a blocking call in what the simulator runs would stop the time it waits for; use the async "
      "form here");
}

bool SimEnvironment::wait(host::Waiter& waiter, TimePoint until) {
  while (!waiter.done() && context_->scheduler().step(until)) {
  }
  return waiter.done();
}

}  // namespace dynamo::testing

#include "host/waiter.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>

#include "host/steady_clock.h"

namespace dynamo::host {

namespace {

// Sleeps as long as `state` is `value`, until a wake-up, a signal, or that time of the steady
// clock.
template <class State>
void sleep_while(const std::atomic<State>& state, State value, core::TimePoint until) {
  static_assert(sizeof(state) == sizeof(std::uint32_t));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(until);
  timespec at{};
  at.tv_sec = std::max<time_t>(0, seconds.count());
  at.tv_nsec = std::max<long>(0, (until - seconds).count());
  const bool for_ever = until == core::TimePoint::max();
  ::syscall(SYS_futex, &state, FUTEX_WAIT_BITSET_PRIVATE, value, for_ever ? nullptr : &at, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

void Waiter::set() {
  if (state_.exchange(State::set, std::memory_order_acq_rel) != State::awaited) return;
  ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

bool Waiter::wait_until(core::TimePoint until) {
  while (true) {
    State seen = State::unset;
    state_.compare_exchange_strong(seen, State::awaited, std::memory_order_acq_rel);
    if (seen == State::set) return true;
    if (until != core::TimePoint::max() && steady_now() >= until) return done();
    sleep_while(state_, State::awaited, until);
  }
}

}  // namespace dynamo::host

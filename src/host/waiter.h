#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace dynamo::host {

// What a blocking caller waits on: once set, it stays so.
//
// No mutex and condition variable, because whoever is woken under a mutex meets it locked, and on
// one processor that is two more changes of threads.
//
// Thread safety: any thread.
class Waiter {
 public:
  // The caller may destroy the waiter as soon as it sees it set; what is woken then is an address,
  // which is not looked at.
  void set();
  bool done() const { return state_.load(std::memory_order_acquire) == State::set; }
  void wait() { wait_until(core::TimePoint::max()); }
  // By std::chrono::steady_clock. Returns whether it is set.
  bool wait_until(core::TimePoint until);

 private:
  enum class State : std::uint32_t { unset, awaited, set };
  std::atomic<State> state_{State::unset};
};

}  // namespace dynamo::host

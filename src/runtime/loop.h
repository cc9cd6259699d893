#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <asio/any_io_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "base/time.h"
#include "host/waiter.h"

namespace dynamo::runtime {

// Waits for it, until `spin_until` without sleeping. Returns whether it is set.
bool spin_and_wait(host::Waiter& waiter, core::TimePoint spin_until, core::TimePoint until);

// A thread that runs an io_context.
//
// Callers that block may run the context in its place. Else an answer wakes the thread at the
// sockets first, and that one the caller: on one processor two changes of threads, and more time
// than the rest of the call. For one thread to leave the sockets to another costs as much, so that
// pays only if the caller comes back at once, again and again: after some calls in a row by one
// caller at a time this thread steps aside, and looks every half a millisecond whether somebody
// still drives. So for that long, once, sockets may wait when the last of these calls is over.
//
// Thread safety: any thread, but for resume() and stop(), one at a time.
class Loop {
 public:
  explicit Loop(std::string name);
  ~Loop();

  asio::any_io_executor executor();
  bool runs_here() const { return thread_id_ == std::this_thread::get_id(); }

  // Returns whether the waiter is set: at once when it is, or at `until`. The caller, which is no
  // thread of this loop, runs the context meanwhile, or sleeps; before `spin_until` it does not
  // sleep. `now`: the time of the call.
  bool wait(host::Waiter& waiter, core::TimePoint now, core::TimePoint spin_until,
            core::TimePoint until);

  // The context is to be run by its own thread for now.
  void come_back();

  // After stop(): runs what was posted too late, and whatever is still to come.
  void resume();
  void stop();

 private:
  using WorkGuard = asio::executor_work_guard<asio::io_context::executor_type>;
  struct State;

  void run();
  bool may_drive(core::TimePoint now, bool alone);
  void drive(const host::Waiter& waiter, core::TimePoint spin_until, core::TimePoint until);

  const std::shared_ptr<State> state_;  // shared with the thread, which may outlive us
  std::unique_ptr<WorkGuard> work_;
  const std::string name_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};  // asked for by any thread, also while stop() joins
};

}  // namespace dynamo::runtime

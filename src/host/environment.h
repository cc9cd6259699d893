#pragma once

#include <cstdint>

#include <absl/status/status.h>
#include <asio/any_io_executor.hpp>

#include "base/time.h"
#include "host/waiter.h"

namespace dynamo::host {

class Host;

// Everything that a node needs of the world and that differs between a real process and a
// simulation: clocks, chance, threads and timers. The runtime implements it over asio, the
// simulator over virtual time.
//
// Thread safety: all methods from any thread but start() and stop().
class Environment {
 public:
  virtual ~Environment() = default;

  virtual core::Now now() const = 0;
  virtual core::TimePoint steady_now() const { return now().steady; }
  virtual std::uint64_t random() = 0;

  // From now on calls host.turn() and host.flush() as asked below. The host outlives the
  // environment's use of it: stop() returns only when no call is running, or when it is called from
  // within one.
  virtual void start(Host& host) = 0;
  virtual void stop() = 0;
  // Runs the handlers that are pending on the environment's own executor, and ends it. An
  // application's executor is not waited for.
  virtual void stop_handlers() = 0;
  // A handler was posted after stop_handlers(), or while it ran: it still gets its turn.
  virtual void run_late_handlers() {}

  virtual void wake(int desk) = 0;  // turn() of it soon
  // The same, on a thread of the environment's own: for what a turn By::caller has left.
  virtual void wake_own_thread(int desk) { wake(desk); }
  // The same, on this thread if it is one of the environment's loops, whichever desk is its own: to
  // wake another takes longer than a short turn.
  virtual void wake_near(int desk) { wake(desk); }
  // Runs host.turn(desk, .., true) on this thread, which has received something, and returns true;
  // false if it is none of the environment's, or a turn of that desk is running. Then one of the
  // two before has to be called. `within_call`: of the application's, which has asked for something
  // on that thread and goes on; the turn is then Host::By::caller's.
  virtual bool turn_at_once(int /*desk*/, bool /*within_call*/) { return false; }
  // Runs host.turn(desk, Host::By::caller) on this thread, which is going to wait for what it has
  // posted, and returns true; false if a turn is running elsewhere, or turns belong to threads of
  // the application's. Then wake() has to be called.
  virtual bool turn_here(int /*desk*/) { return false; }
  // turn() then; replaces what was asked for this desk before.
  virtual void wake_at(int desk, core::TimePoint at) = 0;
  virtual void flush_at(
      core::TimePoint at) = 0;  // flush() then, where it may block; the earliest time asked counts

  // Where a stop() runs that nobody may be blocked by, and then whoever waits for it and has no
  // executor: neither the node's threads, which end meanwhile, nor the application's. The executor
  // tracks work, and its thread ends with the last copy that does.
  virtual asio::any_io_executor stopping_executor() = 0;

  // Where handlers without an executor of their own run.
  virtual asio::any_io_executor executor() const = 0;
  // FAILED_PRECONDITION on a thread that must not block, because the node's own work runs there.
  virtual absl::Status may_block() const = 0;
  // Blocks until the waiter is set or `until` has passed; returns whether it is set.
  virtual bool wait(Waiter& waiter, core::TimePoint until) = 0;
};

}  // namespace dynamo::host

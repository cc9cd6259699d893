#pragma once

#include <utility>

#include <asio/execution/blocking.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>

#include "testing/sim_scheduler.h"

namespace dynamo::testing {

// What an io_context is to a real program: where handlers and coroutines run. Here they are events
// of a scheduler, and no thread, timer or socket is behind them.
//
// Thread safety: one thread.
class SimContext final : public asio::execution_context {
 public:
  class executor_type;

  ~SimContext() { close(); }

  SimScheduler& scheduler() { return scheduler_; }
  const SimScheduler& scheduler() const { return scheduler_; }
  executor_type get_executor() noexcept;

  // Destroys all handlers that have not run. They may own what owns this context, so its destructor
  // would come too late.
  void close() {
    shutdown();
    scheduler_.close();
  }

 private:
  SimScheduler scheduler_;
};

// The least that any_io_executor asks for. A function never runs inside execute().
class SimContext::executor_type {
 public:
  explicit executor_type(SimContext& context) noexcept : context_(&context) {}

  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  executor_type require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

  template <class Function>
  void execute(Function&& function) const {
    SimScheduler& scheduler = context_->scheduler();
    scheduler.schedule(scheduler.now(), std::forward<Function>(function));
  }

  friend bool operator==(const executor_type&, const executor_type&) noexcept = default;

 private:
  SimContext* context_;
};

inline SimContext::executor_type SimContext::get_executor() noexcept {
  return executor_type(*this);
}

}  // namespace dynamo::testing

#pragma once

#include <cstdint>
#include <memory>

#include "base/prng.h"
#include "host/environment.h"
#include "testing/sim_context.h"

namespace dynamo::testing {

// The environment of one simulated node: all that happens to it is an event of the scheduler that
// it shares with the others.
//
// Thread safety: one thread.
class SimEnvironment final : public host::Environment {
 public:
  // The context is shared: stores may outlive the cluster, and with them their host and this.
  SimEnvironment(std::shared_ptr<SimContext> context, std::uint64_t seed);

  core::Now now() const override;
  std::uint64_t random() override { return prng_.next(); }
  void start(host::Host& host) override { *host_ = &host; }
  void stop() override { *host_ = nullptr; }
  // The executor is the whole cluster's, and so not this node's to end.
  void stop_handlers() override {}
  void wake() override;
  void wake_at(core::TimePoint at) override;
  void flush_at(core::TimePoint at) override;
  asio::any_io_executor executor() const override;
  asio::any_io_executor stopping_executor() override { return executor(); }
  absl::Status may_block() const override;
  bool wait(host::Waiter& waiter, core::TimePoint until) override;

  // From now on the wall clock is that much ahead of the others'. Steady clocks never differ.
  void set_wall_offset(std::chrono::microseconds offset) { wall_offset_ = offset; }

 private:
  // Schedules an event for the host, if it is there by then.
  SimScheduler::Ticket schedule(core::TimePoint at, void (host::Host::*method)());

  const std::shared_ptr<SimContext> context_;
  core::Prng prng_;
  // Null before start() and after stop(). Shared with the events that are under way.
  const std::shared_ptr<host::Host*> host_ = std::make_shared<host::Host*>(nullptr);
  std::chrono::microseconds wall_offset_{0};
  SimScheduler::Ticket turn_{};
  SimScheduler::Ticket flush_{};
};

}  // namespace dynamo::testing

#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include <asio/io_context.hpp>

#include "base/prng.h"
#include "host/environment.h"
#include "host/host.h"

namespace test {

// Virtual time for one host: turns and flushes happen when the test says so, or while a blocking
// call waits.
//
// Thread safety: one thread.
class ManualEnvironment final : public dynamo::host::Environment {
 public:
  // What the test keeps hold of; shared, for the host owns the environment.
  struct Hands {
    dynamo::core::TimePoint steady = std::chrono::seconds(1000);
    std::int64_t wall_us = 1'192'320'000'000'000;
    dynamo::host::Host* host = nullptr;
    bool woken = false;
    bool in_turn = false;
    int at_once = 0;     // turns that did not wait for the test
    int in_passing = 0;  // the same, within a call of a handler
    dynamo::core::TimePoint turn_due = dynamo::core::TimePoint::max();
    dynamo::core::TimePoint flush_due = dynamo::core::TimePoint::max();
    asio::io_context handlers{1};

    void turn() {
      woken = false;
      in_turn = true;
      if (host != nullptr) host->turn(0);
      in_turn = false;
    }
    void flush() {
      flush_due = dynamo::core::TimePoint::max();
      if (host != nullptr) host->flush();
    }
    void run_handlers() {
      handlers.restart();
      handlers.poll();
    }
    // Everything that is due now.
    void run() {
      while (host != nullptr && (woken || turn_due <= steady || flush_due <= steady)) {
        if (flush_due <= steady) flush();
        if (turn_due <= steady) turn_due = dynamo::core::TimePoint::max();
        turn();
      }
      run_handlers();
    }
    void advance(std::chrono::milliseconds duration) {
      const auto until = steady + duration;
      run();
      while (steady < until) {
        const auto next = std::clamp(std::min(turn_due, flush_due), steady, until);
        wall_us += std::chrono::duration_cast<std::chrono::microseconds>(next - steady).count();
        steady = next;
        run();
      }
    }
  };

  explicit ManualEnvironment(std::shared_ptr<Hands> hands, std::uint64_t seed)
      : hands_(std::move(hands)), prng_(seed) {}

  dynamo::core::Now now() const override { return {hands_->steady, hands_->wall_us}; }
  std::uint64_t random() override { return prng_.next(); }
  void start(dynamo::host::Host& host) override { hands_->host = &host; }
  void stop() override { hands_->host = nullptr; }
  void stop_handlers() override { hands_->run_handlers(); }
  void wake(int) override { hands_->woken = true; }
  bool turn_at_once(int, bool within_call) override {
    using By = dynamo::host::Host::By;
    ++(within_call ? hands_->in_passing : hands_->at_once);
    hands_->host->turn(0, within_call ? By::caller : By::environment, true);
    return true;
  }
  void wake_at(int, dynamo::core::TimePoint at) override { hands_->turn_due = at; }
  void flush_at(dynamo::core::TimePoint at) override {
    hands_->flush_due = std::min(hands_->flush_due, at);
  }
  asio::any_io_executor stopping_executor() override { return hands_->handlers.get_executor(); }
  asio::any_io_executor executor() const override { return hands_->handlers.get_executor(); }
  absl::Status may_block() const override { return absl::OkStatus(); }
  bool wait(dynamo::host::Waiter& waiter, dynamo::core::TimePoint until) override {
    hands_->run();
    while (!waiter.done() && hands_->steady < until) {
      hands_->advance(std::chrono::milliseconds(1));
    }
    return waiter.done();
  }

 private:
  const std::shared_ptr<Hands> hands_;
  dynamo::core::Prng prng_;
};

}  // namespace test

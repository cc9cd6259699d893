#include <chrono>
#include <memory>
#include <thread>

#include "catch.hpp"
#include "host/waiter.h"

using dynamo::core::TimePoint;
using dynamo::host::Waiter;

namespace {

TimePoint now() {
  return std::chrono::duration_cast<TimePoint>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

TEST_CASE("a waiter that is set does not wait") {
  Waiter waiter;
  CHECK_FALSE(waiter.done());
  waiter.set();
  CHECK(waiter.done());
  waiter.wait();
  CHECK(waiter.wait_until(TimePoint{}));
}

TEST_CASE("a waiter waits until its time, and not longer") {
  Waiter waiter;
  const TimePoint until = now() + std::chrono::milliseconds(20);
  CHECK_FALSE(waiter.wait_until(until));
  CHECK(now() >= until);
  CHECK_FALSE(waiter.wait_until(TimePoint{}));
}

TEST_CASE("a waiter is woken by another thread, and may then be destroyed") {
  for (int i = 0; i < 500; ++i) {
    auto waiter = std::make_unique<Waiter>();
    std::thread other([&set = *waiter] { set.set(); });
    waiter->wait();
    waiter.reset();
    other.join();
  }
}

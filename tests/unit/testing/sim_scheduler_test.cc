#include "testing/sim_scheduler.h"

#include <memory>
#include <stdexcept>
#include <string>

#include "catch.hpp"

using dynamo::core::TimePoint;
using dynamo::testing::SimScheduler;
using namespace std::chrono_literals;

namespace {

void run_all(SimScheduler& scheduler, TimePoint limit) {
  while (scheduler.step(limit)) {
  }
}

}  // namespace

TEST_CASE("events run by time, and in the order of scheduling at one time") {
  SimScheduler scheduler;
  std::string order;
  scheduler.schedule(2s, [&] { order += 'c'; });
  scheduler.schedule(1s, [&] {
    order += 'a';
    // The past is now, after what is already due now.
    scheduler.schedule(0s, [&] { order += "d"; });
  });
  scheduler.schedule(1s, [&] { order += 'b'; });
  run_all(scheduler, 1s);
  CHECK(order == "abd");
  CHECK(scheduler.now() == 1s);
  run_all(scheduler, 1500ms);
  CHECK(order == "abd");
  CHECK(scheduler.now() == 1500ms);
  run_all(scheduler, 10s);
  CHECK(order == "abdc");
  CHECK(scheduler.now() == 10s);
}

TEST_CASE("a cancelled event does not run") {
  SimScheduler scheduler;
  int ran = 0;
  const auto ticket = scheduler.schedule(1s, [&] { ++ran; });
  scheduler.cancel(ticket);
  scheduler.cancel(ticket);
  scheduler.cancel({});
  run_all(scheduler, 2s);
  CHECK(ran == 0);
}

TEST_CASE("the scheduler says whether an event runs, also after one that threw") {
  SimScheduler scheduler;
  bool inside = false;
  scheduler.schedule(0s, [&] {
    inside = scheduler.running();
    throw std::runtime_error("a handler's");
  });
  CHECK_THROWS_AS(scheduler.step(1s), std::runtime_error);
  CHECK(inside);
  CHECK_FALSE(scheduler.running());
}

TEST_CASE("time that stands still for ever is an error, and not a hang") {
  SimScheduler scheduler;
  std::function<void()> again = [&] { scheduler.schedule(scheduler.now(), again); };
  again();
  const auto run = [&] {
    while (scheduler.step(1s)) {
    }
  };
  CHECK_THROWS_WITH(run(), test::ContainsSubstring("wakes itself without end"));
}

TEST_CASE("closing destroys events, and later ones at once") {
  SimScheduler scheduler;
  const auto held = std::make_shared<int>(0);
  scheduler.schedule(1s, [held] { FAIL("ran"); });
  CHECK(held.use_count() == 2);
  scheduler.close();
  CHECK(held.use_count() == 1);
  scheduler.schedule(1s, [held] { FAIL("ran"); });
  CHECK(held.use_count() == 1);
  CHECK_FALSE(scheduler.step(2s));
}

TEST_CASE("the end of time is not exceeded") {
  SimScheduler scheduler;
  CHECK_FALSE(scheduler.step(1s));
  CHECK(scheduler.after(TimePoint::max()) == TimePoint::max());
  CHECK(scheduler.after(2s) == 3s);
}

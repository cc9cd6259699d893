// Callers that run the loop while they wait, and its own thread beside them.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/execution.hpp>
#include <asio/post.hpp>
#include <asio/prefer.hpp>

#include "catch.hpp"
#include "host/steady_clock.h"
#include "runtime/loop.h"

using dynamo::core::TimePoint;
using dynamo::host::steady_now;
using dynamo::host::Waiter;
using dynamo::runtime::Loop;

namespace {

constexpr auto patience = std::chrono::seconds(30);

// A blocking call: something is done in the loop, and waited for. Returns where it was done.
std::thread::id call(Loop& loop) {
  Waiter waiter;
  std::thread::id at;
  asio::post(loop.executor(), [&] {
    at = std::this_thread::get_id();
    waiter.set();
  });
  const TimePoint began = steady_now();
  REQUIRE(loop.wait(waiter, began, began, began + patience));
  return at;
}

// For long enough that a caller drives meanwhile, most often.
void rest() { Waiter().wait_until(steady_now() + std::chrono::milliseconds(5)); }

// Calls until one is done by this thread, or all of them by the loop's.
bool comes_to_drive(Loop& loop) {
  for (int i = 0; i < 100'000; ++i) {
    if (call(loop) == std::this_thread::get_id()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("loop: a caller that comes back at once runs it; when it stays away, the thread does") {
  Loop loop("test-loop");
  CHECK(call(loop) != std::this_thread::get_id());
  REQUIRE(comes_to_drive(loop));
  Waiter waiter;
  std::thread::id at;
  asio::post(loop.executor(), [&] {
    at = std::this_thread::get_id();
    waiter.set();
  });
  REQUIRE(waiter.wait_until(steady_now() + patience));
  CHECK(at != std::this_thread::get_id());
  CHECK(comes_to_drive(loop));
}

TEST_CASE("loop: what only its thread may do calls it back from a caller that drives") {
  Loop loop("test-loop");
  REQUIRE(comes_to_drive(loop));
  Waiter waiter;
  std::atomic<int> turns = 0;
  std::function<void()> turn = [&] {
    ++turns;
    if (loop.runs_here()) return waiter.set();
    asio::post(loop.executor(), turn);
    loop.come_back();
  };
  asio::post(loop.executor(), turn);
  const TimePoint began = steady_now();
  CHECK(loop.wait(waiter, began, began, began + patience));
  CHECK(turns >= 1);
  CHECK(comes_to_drive(loop));
}

TEST_CASE("loop: many callers at once each get their answer") {
  Loop loop("test-loop");
  std::atomic<int> done = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&loop, &done, caller] {
      for (int i = 0; i < 2000; ++i) {
        Waiter waiter;
        asio::post(loop.executor(), [&] { waiter.set(); });
        const TimePoint began = steady_now();
        if (loop.wait(waiter, began, began, began + patience)) ++done;
        // One goes on by itself for a while, so that it drives when others come.
        if (caller > 0 && i % 100 == 0) rest();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(done == 4 * 2000);
}

TEST_CASE("loop: a call ends at its time, and when the loop stops under it") {
  auto loop = std::make_unique<Loop>("test-loop");
  REQUIRE(comes_to_drive(*loop));
  Waiter waiter;
  TimePoint began = steady_now();
  CHECK_FALSE(loop->wait(waiter, began, began, began + std::chrono::milliseconds(20)));
  CHECK(steady_now() - began >= std::chrono::milliseconds(20));

  REQUIRE(comes_to_drive(*loop));
  std::thread stopper([&] {
    rest();
    loop->stop();
    waiter.set();  // as the node does, which cancels what is under way
  });
  began = steady_now();
  CHECK(loop->wait(waiter, began, began, began + patience));
  stopper.join();
}

// Who had asked a node while it stopped was never answered, once in some ten thousand stops: the
// last work given back stopped the context of its handlers just when it had been resumed.
TEST_CASE("loop: work that is given back while it is resumed does not end it") {
  for (int round = 0; round < 1000; ++round) {
    Loop loop("resumed");
    asio::any_io_executor work =
        asio::prefer(loop.executor(), asio::execution::outstanding_work.tracked);
    loop.stop();
    std::atomic<bool> go{false};
    std::thread other([&] {
      while (!go) {
      }
      work = {};
    });
    go = true;
    loop.resume();
    Waiter waiter;
    asio::post(loop.executor(), [&] { waiter.set(); });
    const bool ran = waiter.wait_until(steady_now() + patience);
    other.join();
    INFO(round);
    REQUIRE(ran);
  }
}

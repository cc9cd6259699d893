// Who waits for whom: background work for requests, never the other way round.

#include "node/background.h"

#include "catch.hpp"

using dynamo::core::Background;
using dynamo::core::TimePoint;
using namespace std::chrono_literals;
using Work = Background::Work;

namespace {

// A quarter of a second of requests that take so long, one in ten of them ten times as long.
TimePoint requests(Background& background, TimePoint now, TimePoint took, bool with_work) {
  for (int i = 0; i < 50; ++i) {
    background.foreground(now, i % 10 == 0 ? 10 * took : took);
    if (with_work) background.done(Work::exchange, now, 1ms, 0);
    now += 5ms;
  }
  return now;
}

}  // namespace

TEST_CASE("without requests the background does not wait") {
  Background background;
  CHECK(background.done(Work::walk, 10s, 5ms, 1 << 20) == 10s + 5ms);
  CHECK(background.may(Work::walk, 10s + 5ms));
  CHECK_FALSE(background.may(Work::walk, 10s + 4ms));
  CHECK(background.may(Work::hints, 10s));  // another kind
}

TEST_CASE(
    "pauses grow while requests take longer than they do when it is quiet, and shrink again") {
  Background background;
  TimePoint now = 1s;
  for (int i = 0; i < 8; ++i) now = requests(background, now, 1ms, false);
  CHECK(background.quiet() >= 1ms);
  CHECK(background.slowdown(now) == 1);
  // With work, as fast as without: nothing is in the way.
  for (int i = 0; i < 4; ++i) now = requests(background, now, 1ms, true);
  CHECK(background.slowdown(now) == 1);
  int before = 1;
  for (int i = 0; i < 12; ++i) {
    now = requests(background, now, 5ms, true);
    CHECK(background.slowdown(now) >= before);
    before = background.slowdown(now);
  }
  CHECK(before == Background::slowdown_max);
  CHECK(background.done(Work::exchange, now, 5ms, 0) == now + 64 * 5ms);
  for (int i = 0; i < 12; ++i) now = requests(background, now, 1ms, true);
  CHECK(background.slowdown(now) == 1);
}

TEST_CASE("requests that are slow by themselves are no reason to wait") {
  Background background;
  TimePoint now = 1s;
  for (int i = 0; i < 8; ++i) now = requests(background, now, 20ms, false);
  for (int i = 0; i < 12; ++i) now = requests(background, now, 20ms, true);
  CHECK(background.slowdown(now) == 1);
}

TEST_CASE("when requests have ended, pauses are short again") {
  Background background;
  TimePoint now = 1s;
  for (int i = 0; i < 8; ++i) now = requests(background, now, 1ms, false);
  for (int i = 0; i < 12; ++i) now = requests(background, now, 9ms, true);
  REQUIRE(background.slowdown(now) > 8);
  CHECK(background.slowdown(now + 1s) == 1);
}

TEST_CASE("bytes cost time, over all kinds of work") {
  Background background(1 << 20);
  CHECK(background.done(Work::exchange, 1s, 1ms, 1 << 19) == 1s + 500ms);
  CHECK(background.done(Work::hints, 1s, 1ms, 1 << 19) == 2s);
  CHECK(background.done(Work::walk, 1s, 5ms, 0) == 2s);
  CHECK(background.done(Work::exchange, 10s, 1ms, 1024) < 10s + 2ms);
}

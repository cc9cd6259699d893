#include <array>
#include <cstdint>
#include <limits>

#include "base/hybrid_time.h"
#include "base/prng.h"
#include "catch.hpp"

namespace {

using dynamo::core::HybridClock;
using dynamo::core::HybridTime;

constexpr std::int64_t year_us = std::int64_t{365} * 24 * 3600 * 1'000'000;
constexpr std::int64_t today_us = 56 * year_us;

TEST_CASE("a reading holds the wall clock's microseconds") {
  CHECK(HybridTime::at(today_us).wall_us() == today_us);
  CHECK(HybridTime::at(today_us).next().wall_us() == today_us);
  CHECK(HybridTime::at(today_us) < HybridTime::at(today_us).next());
  CHECK(HybridTime::at(today_us).next() < HybridTime::at(today_us + 1));
  CHECK(HybridTime::at(140 * year_us).wall_us() == 140 * year_us);
  CHECK(HybridTime::at(0).value == 0);
  CHECK(HybridTime::at(-1).value == 0);
}

TEST_CASE("nothing follows the greatest reading, least of all zero") {
  const HybridTime greatest = {std::numeric_limits<std::uint64_t>::max()};
  CHECK(greatest.next() == greatest);
}

TEST_CASE("a clock follows the wall clock") {
  HybridClock clock;
  CHECK(clock.draw(today_us) == HybridTime::at(today_us));
  CHECK(clock.draw(today_us) == HybridTime::at(today_us).next());
  CHECK(clock.draw(today_us + 5) == HybridTime::at(today_us + 5));
}

TEST_CASE("a first reading is never zero, which means none") {
  HybridClock clock;
  CHECK(clock.draw(0).value > 0);
  HybridClock before_1970;
  CHECK(before_1970.draw(std::numeric_limits<std::int64_t>::min()).value > 0);
}

TEST_CASE("readings rise, though the wall clock goes back a little now and then") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    dynamo::core::Prng prng(seed);
    HybridClock clock;
    HybridTime last;
    std::int64_t furthest = today_us;
    std::int64_t wall = today_us;
    for (int i = 0; i < 500; ++i) {
      const auto back = static_cast<std::int64_t>(prng.below(dynamo::core::drift_max_us - 1000));
      wall = prng.chance(0.1) ? furthest - back : wall + static_cast<std::int64_t>(prng.below(3));
      if (prng.chance(0.01)) wall = furthest + static_cast<std::int64_t>(prng.below(year_us));
      furthest = std::max(furthest, wall);
      const HybridTime drawn = clock.draw(wall);
      REQUIRE(drawn > last);
      REQUIRE(drawn >= HybridTime::at(wall));
      last = drawn;
    }
  }
}

// Found by seed 13 of the simulator: after the clock had been wrong for a while, no put of the node
// was taken for as long as it had been ahead.
TEST_CASE("a wall clock that is set right after it was far ahead is followed at once") {
  HybridClock clock;
  REQUIRE(clock.draw(today_us + year_us) == HybridTime::at(today_us + year_us));
  CHECK(clock.draw(today_us) == HybridTime::at(today_us));
  CHECK(clock.draw(today_us) == HybridTime::at(today_us).next());
}

TEST_CASE("a wall clock at the end of time leaves room to go on") {
  constexpr std::array<std::int64_t, 4> absurd = {
      std::numeric_limits<std::int64_t>::max(), std::int64_t{1} << 52, (std::int64_t{1} << 52) - 1,
      std::int64_t{1} << 60};
  for (const std::int64_t wall : absurd) {
    CAPTURE(wall);
    HybridClock clock;
    HybridTime last = clock.draw(today_us);
    REQUIRE(clock.draw(wall) > HybridTime::at(today_us + year_us));
    for (int i = 0; i < 10000; ++i) {
      const HybridTime drawn = clock.draw(wall);
      REQUIRE(drawn > last);
      last = drawn;
    }
  }
}

}  // namespace

#include <compare>
#include <cstdint>
#include <limits>

#include <dynamo/vector_clock.h>
#include <dynamo/version.h>

#include "base/prng.h"
#include "catch.hpp"

namespace {

using dynamo::ActorId;
using dynamo::Dot;
using dynamo::VectorClock;
using dynamo::core::Prng;

constexpr ActorId a = {.boot = 1, .sequence = 1};
constexpr ActorId b = {.boot = 1, .sequence = 2};
constexpr ActorId c = {.boot = 2, .sequence = 1};

VectorClock clock_of(std::uint64_t at_a, std::uint64_t at_b, std::uint64_t at_c) {
  VectorClock clock;
  clock.raise(c, at_c);
  clock.raise(a, at_a);
  clock.raise(b, at_b);
  return clock;
}

VectorClock random_clock(Prng& prng) {
  return clock_of(prng.below(3), prng.below(3), prng.below(3));
}

VectorClock merged(VectorClock x, const VectorClock& y) {
  x.merge(y);
  return x;
}

TEST_CASE("an actor that is not known has made no event") {
  VectorClock clock;
  CHECK(clock.empty());
  CHECK(clock[a] == 0);
  clock.raise(a, 0);
  CHECK(clock.empty());
  clock.advance(a);
  clock.advance(a);
  clock.raise(b, 5);
  clock.raise(b, 3);
  CHECK(clock[a] == 2);
  CHECK(clock[b] == 5);
  CHECK(clock[c] == 0);
  CHECK(clock.size() == 2);
}

TEST_CASE("entries ascend however the clock was made") {
  const VectorClock clock = clock_of(1, 2, 3);
  REQUIRE(clock.entries().size() == 3);
  CHECK(clock.entries()[0].actor == a);
  CHECK(clock.entries()[1].actor == b);
  CHECK(clock.entries()[2].actor == c);
}

TEST_CASE("order is having seen more") {
  CHECK(clock_of(1, 0, 0) < clock_of(1, 1, 0));
  CHECK(clock_of(2, 1, 0) > clock_of(1, 1, 0));
  CHECK(VectorClock() < clock_of(0, 0, 1));
  CHECK(clock_of(1, 2, 3) == clock_of(1, 2, 3));
  CHECK(clock_of(1, 2, 3) <= clock_of(1, 2, 3));
  CHECK(concurrent(clock_of(1, 0, 0), clock_of(0, 1, 0)));
  CHECK(concurrent(clock_of(2, 1, 0), clock_of(1, 2, 0)));
  CHECK_FALSE(concurrent(clock_of(1, 0, 0), clock_of(1, 0, 0)));
  CHECK_FALSE(clock_of(1, 0, 0) < clock_of(0, 1, 0));
  CHECK_FALSE(clock_of(1, 0, 0) > clock_of(0, 1, 0));
}

TEST_CASE("the order and merge say the same") {
  Prng prng(1);
  int unordered = 0;
  for (int i = 0; i < 5000; ++i) {
    const VectorClock x = random_clock(prng);
    const VectorClock y = random_clock(prng);
    const VectorClock both = merged(x, y);
    CAPTURE(x.to_string(), y.to_string());
    REQUIRE((x <= y) == (both == y));
    REQUIRE((x >= y) == (both == x));
    REQUIRE((x < y) == (both == y && both != x));
    REQUIRE((x == y) == ((x <=> y) == std::partial_ordering::equivalent));
    REQUIRE(concurrent(x, y) == (both != x && both != y));
    REQUIRE((x < y) == (y > x));
    if (concurrent(x, y)) ++unordered;
  }
  CHECK(unordered > 500);
}

TEST_CASE("merge of clocks is commutative, associative and idempotent, and the least above both") {
  Prng prng(2);
  for (int i = 0; i < 5000; ++i) {
    const VectorClock x = random_clock(prng);
    const VectorClock y = random_clock(prng);
    const VectorClock z = random_clock(prng);
    REQUIRE(merged(x, y) == merged(y, x));
    REQUIRE(merged(merged(x, y), z) == merged(x, merged(y, z)));
    REQUIRE(merged(x, x) == x);
    REQUIRE((!(z >= x && z >= y) || z >= merged(x, y)));
  }
}

TEST_CASE("clocks, actors and dots print") {
  VectorClock clock;
  CHECK(clock.to_string() == "{}");
  clock.raise({.boot = 0x2c, .sequence = 1}, 1);
  clock.raise({.boot = 0x1f, .sequence = 10}, 12);
  CHECK(clock.to_string() == "{1f.a:12, 2c.1:1}");
  CHECK(ActorId{.boot = std::numeric_limits<std::uint64_t>::max(), .sequence = 1}.to_string() ==
        "ffffffffffffffff.1");
  CHECK(Dot{.actor = {.boot = 0xab, .sequence = 16}, .counter = 16}.to_string() == "ab.10:16");
}

}  // namespace

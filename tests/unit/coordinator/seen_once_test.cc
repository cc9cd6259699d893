#include "coordinator/seen_once.h"

#include "catch.hpp"

using dynamo::core::SeenOnce;

TEST_CASE("a number is new once, in whatever order numbers come") {
  SeenOnce seen;
  CHECK(seen.first_time("a", 1, 7));
  CHECK(seen.first_time("a", 1, 5));
  CHECK_FALSE(seen.first_time("a", 1, 7));
  CHECK_FALSE(seen.first_time("a", 1, 5));
  CHECK(seen.first_time("b", 1, 7));
}

TEST_CASE("a peer that starts again counts anew") {
  SeenOnce seen;
  CHECK(seen.first_time("a", 1, 7));
  CHECK(seen.first_time("a", 2, 7));
  CHECK_FALSE(seen.first_time("a", 2, 7));
}

TEST_CASE("what was overtaken by 256 others counts as seen") {
  SeenOnce seen;
  CHECK(seen.first_time("a", 1, 2));
  for (std::uint64_t number = 10; number < 266; ++number) CHECK(seen.first_time("a", 1, number));
  CHECK_FALSE(seen.first_time("a", 1, 2));
  CHECK_FALSE(seen.first_time("a", 1, 3));
  CHECK_FALSE(seen.first_time("a", 1, 265));
  CHECK(seen.first_time("a", 1, 266));
}

// A node with several loops: put after put went to one of them, and one to another was taken for a
// put that has come before, and never answered (seed 883367).
TEST_CASE("one series of a peer's numbers may be far ahead of another") {
  SeenOnce seen(64);
  for (std::uint64_t i = 1; i <= 1000; ++i) CHECK(seen.first_time("a", 1, 64 * i));
  CHECK(seen.first_time("a", 1, 64 + 1));
  CHECK_FALSE(seen.first_time("a", 1, 64 + 1));
  CHECK_FALSE(seen.first_time("a", 1, 64 * 2));
  CHECK(seen.first_time("a", 1, 64 * 2 + 1));
}

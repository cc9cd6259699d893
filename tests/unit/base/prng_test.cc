#include <array>
#include <cstdint>

#include "base/prng.h"
#include "catch.hpp"

namespace {

using dynamo::core::Prng;

// Seeds in bug reports must mean the same run for ever and everywhere. The values are the published
// ones of splitmix64.
TEST_CASE("the numbers of a seed never change") {
  Prng prng(1234567);
  CHECK(prng.next() == 6457827717110365317U);
  CHECK(prng.next() == 3203168211198807973U);
  CHECK(prng.next() == 9817491932198370423U);
  CHECK(prng.next() == 4593380528125082431U);
  CHECK(prng.next() == 16408922859458223821U);
}

TEST_CASE("below() stays below, and reaches everything") {
  Prng prng(1);
  std::array<int, 7> counts{};
  for (int i = 0; i < 7000; ++i) ++counts.at(prng.below(7));
  for (const int count : counts) CHECK((count > 850 && count < 1150));
  CHECK(prng.below(1) == 0);
  CHECK(prng.below(0) == 0);
}

TEST_CASE("chance() is never, always, or about what it says") {
  Prng prng(2);
  int hits = 0;
  for (int i = 0; i < 10000; ++i) {
    CHECK_FALSE(prng.chance(0.0));
    CHECK(prng.chance(1.0));
    if (prng.chance(0.25)) ++hits;
  }
  CHECK((hits > 2300 && hits < 2700));
}

}  // namespace

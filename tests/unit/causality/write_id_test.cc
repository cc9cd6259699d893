#include <cstdint>
#include <optional>

#include "base/prng.h"
#include "catch.hpp"
#include "causality/write_id.h"

namespace {

using dynamo::WriteId;
using dynamo::core::drawn_at;
using dynamo::core::HybridTime;
using dynamo::core::make_write_id;
using dynamo::core::Prng;

TEST_CASE("a write id carries the time it was drawn") {
  Prng prng(1);
  for (int i = 0; i < 1000; ++i) {
    const HybridTime time = {prng.next()};
    const WriteId id = make_write_id(time, prng.next());
    const std::optional<HybridTime> drawn = drawn_at(id);
    REQUIRE(drawn.has_value());
    REQUIRE(*drawn == time);
    REQUIRE(id.high == time.value);
  }
}

TEST_CASE("ids of one moment differ by chance") {
  const HybridTime now = HybridTime::at(1'700'000'000'000'000);
  CHECK(make_write_id(now, 0x10000) != make_write_id(now, 0x20000));
  CHECK(make_write_id(now, 0x10000) == make_write_id(now, 0x10000));
}

TEST_CASE("ids that an application made up are told apart, all but one in 65536") {
  Prng prng(2);
  int taken = 0;
  for (int i = 0; i < 1 << 20; ++i) {
    const std::uint64_t high = prng.next();
    if (drawn_at({.high = high, .low = prng.next()}).has_value()) ++taken;
  }
  CHECK((taken > 4 && taken < 40));  // 16 are expected
}

TEST_CASE("an altered id carries no time") {
  const WriteId id = make_write_id(HybridTime::at(1'700'000'000'000'000), 0x123456789abcdef0);
  int taken = 0;
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t flip = std::uint64_t{1} << bit;
    if (drawn_at({.high = id.high ^ flip, .low = id.low}).has_value()) ++taken;
    if (drawn_at({.high = id.high, .low = id.low ^ flip}).has_value()) ++taken;
  }
  CHECK(taken == 0);
}

}  // namespace

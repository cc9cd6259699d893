#pragma once

#include <algorithm>
#include <atomic>
#include <compare>
#include <cstdint>
#include <limits>

#include "base/mutant.h"

namespace dynamo::core {

// A hybrid logical clock reading: microseconds of the wall clock, with the low 12 bits counting
// events within a microsecond. Zero: none. One number, so it compares and travels as one.
struct HybridTime {
  static constexpr int logical_bits = 12;

  std::uint64_t value = 0;

  // An hour of the year 2112, short of where 64 bits end: a wall clock that says more reads as this
  // much, so that a clock that followed it still has readings to draw.
  static constexpr std::int64_t wall_us_max =
      (std::int64_t{1} << (64 - logical_bits)) - (std::int64_t{1} << 32);

  static HybridTime at(std::int64_t wall_us) {
    const auto kept = std::clamp(wall_us, std::int64_t{0}, wall_us_max);
    return {static_cast<std::uint64_t>(kept) << logical_bits};
  }
  // The reading after this one. The greatest value, which only a forged context or a hostile peer
  // can hold, stays as it is: were it to wrap, what follows it would lose to everything.
  HybridTime next() const {
    return {value == std::numeric_limits<std::uint64_t>::max() ? value : value + 1};
  }
  std::int64_t wall_us() const { return static_cast<std::int64_t>(value >> logical_bits); }
  friend auto operator<=>(const HybridTime&, const HybridTime&) = default;
};

// How far a clock may run ahead of another before its readings are refused. Small enough that a
// wrong clock is found at once, large enough for any clock that NTP keeps (semantics 2).
inline constexpr std::int64_t drift_max_us = 500'000;

// Draws readings that follow the wall clock and never repeat or go back, though that clock may, by
// less than drift_max_us. If it goes back further it was wrong before, and readings drawn then
// would be refused until it is there again, which may take hours: the clock begins anew. What was
// drawn meanwhile is still overwritten, for owners have what exceeds it drawn anew (clock_behind).
//
// Thread safety: any thread.
class HybridClock {
 public:
  HybridTime draw(std::int64_t wall_us) {
    HybridTime last = last_.load(std::memory_order_relaxed);
    HybridTime drawn;
    do {
      drawn = after(last, HybridTime::at(wall_us));
    } while (!last_.compare_exchange_weak(last, drawn, std::memory_order_relaxed));
    return drawn;
  }

 private:
  static HybridTime after(HybridTime last, HybridTime wall) {
    const bool keeps = mutated(Mutant::clock_never_set_right);
    if (!keeps && last.wall_us() > wall.wall_us() + drift_max_us) last = {};
    return std::max(wall, last.next());
  }

  std::atomic<HybridTime> last_{};
};

}  // namespace dynamo::core

#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

namespace dynamo::core {

// A hybrid logical clock reading: microseconds of the wall clock, with the low 12 bits counting
// events within a microsecond. Zero: none. One number, so it compares and travels as one.
struct HybridTime {
  static constexpr int logical_bits = 12;

  std::uint64_t value = 0;

  static HybridTime at(std::int64_t wall_us) {
    return {wall_us <= 0 ? 0 : static_cast<std::uint64_t>(wall_us) << logical_bits};
  }
  HybridTime next() const { return {value + 1}; }
  std::int64_t wall_us() const { return static_cast<std::int64_t>(value >> logical_bits); }
  friend auto operator<=>(const HybridTime&, const HybridTime&) = default;
};

// Draws readings that follow the wall clock and never repeat or go back, whatever that clock does.
//
// Thread safety: one thread at a time.
class HybridClock {
 public:
  HybridTime draw(std::int64_t wall_us) {
    last_ = std::max(HybridTime::at(wall_us), last_.next());
    return last_;
  }

 private:
  HybridTime last_{};
};

}  // namespace dynamo::core

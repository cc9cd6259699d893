#pragma once

#include <chrono>
#include <cstdint>

namespace dynamo::core {

// A point on a clock that only goes forward: time since some start of the host's choosing.
using TimePoint = std::chrono::nanoseconds;

// The two clocks of one moment, as the host read them. Durations and deadlines use `steady`; `wall`
// is what people's clocks say, may jump, and decides nothing but last-write-wins and expiry.
struct Now {
  TimePoint steady{};
  std::int64_t wall_us = 0;  // microseconds since 1970
};

}  // namespace dynamo::core

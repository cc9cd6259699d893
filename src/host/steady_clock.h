#pragma once

#include <chrono>

#include "base/time.h"

namespace dynamo::host {

// The clock of this machine that deadlines are of; what is simulated asks its environment instead.
inline core::TimePoint steady_now() {
  return std::chrono::duration_cast<core::TimePoint>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace dynamo::host

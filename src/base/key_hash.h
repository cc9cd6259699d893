#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace dynamo::core {

// Where a key lies on the ring: its hash, seeded per cluster so that nobody outside can aim at one
// partition. The top bits choose the partition.
struct KeyHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const KeyHash&, const KeyHash&) = default;
};

inline KeyHash key_hash(std::string_view key, std::uint64_t cluster_seed) {
  const Hash128 hash = hash128(key, cluster_seed);
  return {hash.high, hash.low};
}

}  // namespace dynamo::core

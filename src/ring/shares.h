#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dynamo::core {

// Weights are told apart down to this fraction of the heaviest.
inline constexpr double weight_min = 0x1p-32;

// What placement knows of a member that owns.
struct Owner {
  double weight = 1;       // relative to the heaviest: weight_min to 1
  std::uint32_t zone = 0;  // numbered from 0 without gaps
};

// Shares are in units of 1 / share_unit of a partition.
inline constexpr std::int64_t share_unit = 1 << 16;

// How many partitions each owner ought to hold a copy of when each of `partitions` has `copies` of
// them: proportional to the weights, as far as that can be. No owner holds two copies of a
// partition, and a zone holds a second only once all zones that can have a first; where that caps
// an owner or a zone, the others share what it cannot take. The shares sum to
// `partitions` x min(copies, owners), but for rounding.
//
// Thread safety: pure.
std::vector<std::int64_t> fair_shares(std::span<const Owner> owners, int partitions, int copies);

}  // namespace dynamo::core

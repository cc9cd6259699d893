#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace dynamo::core {

struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};

// XXH3, the one hash for ring positions, placement, checksums and names. Its output is frozen and
// the same on all machines; it is part of the wire and disk formats. Not a MAC.
Hash128 hash128(std::string_view bytes, std::uint64_t seed);
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed);

// What follows each record and packet: finds damage, not forgery.
std::uint64_t checksum(std::string_view bytes);

}  // namespace dynamo::core

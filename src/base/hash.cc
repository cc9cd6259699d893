#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dynamo::core {

Hash128 hash128(std::string_view bytes, std::uint64_t seed) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  return {hash.high64, hash.low64};
}

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t checksum(std::string_view bytes) { return hash64(bytes, 0x64796e616d6f0001); }

}  // namespace dynamo::core

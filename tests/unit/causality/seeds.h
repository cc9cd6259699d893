#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace test {

// 1 to `count`, or the one seed that DYNAMO_SEED names, to replay a failure.
inline std::vector<std::uint64_t> seeds(std::uint64_t count) {
  if (const char* given = std::getenv("DYNAMO_SEED")) return {std::strtoull(given, nullptr, 0)};
  std::vector<std::uint64_t> all;
  for (std::uint64_t seed = 1; seed <= count; ++seed) all.push_back(seed);
  return all;
}

}  // namespace test

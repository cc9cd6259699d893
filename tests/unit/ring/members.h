#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <dynamo/membership.h>
#include <fmt/format.h>

#include "base/prng.h"

namespace dynamo::core {

// node-1, node-2, ...: as people name them.
inline std::vector<Member> numbered_members(int count) {
  std::vector<Member> members;
  for (int i = 1; i <= count; ++i) members.push_back({.name = fmt::format("node-{}", i)});
  return members;
}

// As machines name them. The same ones first for the same seed.
inline std::vector<Member> random_members(int count, std::uint64_t seed) {
  Prng prng(seed);
  std::vector<Member> members;
  for (int i = 0; i < count; ++i) members.push_back({.name = fmt::format("{:016x}", prng.next())});
  return members;
}

// a, b, c, ...
inline std::vector<Member> lettered_members(int count) {
  std::vector<Member> members;
  for (int i = 0; i < count; ++i) {
    std::string name(static_cast<std::size_t>(i / 26 + 1), static_cast<char>('a' + i % 26));
    members.push_back({.name = std::move(name)});
  }
  return members;
}

}  // namespace dynamo::core

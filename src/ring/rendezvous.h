#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

// Weighted rendezvous hashing in whole numbers. Every member draws a number u between 0 and 1 for
// each partition, from the hash of its name, and the partition goes to those who drew best. A
// member's draws depend on nobody else, so one that comes or goes moves only what it gets or had.
//
// A member of weight w scores log(w) - log(-log(u)): the one with the highest score wins with a
// probability of w / (sum of all weights).
//
// Two complications:
// * Hashes alone are as uneven as dice. A member's draws are the hashes' ranks among all its own
//   instead: every member then draws each number between 0 and 1 equally often, only where is
//   chance. That takes almost half of the unevenness away before anything is corrected.
// * Logarithms differ in the last bit between math libraries, and one differing bit is two nodes
//   that disagree about an owner. So they are taken from a table of integers, the same everywhere.
namespace dynamo::core {

// Logarithms to base 2 in units of 1 / score_unit.
inline constexpr int score_bits = 20;
inline constexpr std::int32_t score_unit = 1 << score_bits;

// log2(value); `value` is at least 1. Never falls as `value` rises.
//
// Thread safety: pure.
std::int32_t fixed_log2(std::uint64_t value);

// -log2(-log2(u)) for each partition: between -6 and 32.
//
// Thread safety: pure.
std::vector<std::int32_t> draws(std::string_view member, int partitions);

}  // namespace dynamo::core

#include "ring/rendezvous.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"

namespace dynamo::core {
namespace {

TEST_CASE("logarithms are right to a millionth and never fall") {
  CHECK(fixed_log2(1) == 0);
  CHECK(fixed_log2(2) == score_unit);
  CHECK(fixed_log2(std::uint64_t{1} << 63) == 63 * score_unit);
  CHECK(fixed_log2(std::numeric_limits<std::uint64_t>::max()) <= 64 * score_unit);
  Prng prng(3);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = (prng.next() >> prng.below(60)) | 1;
    const double right = std::log2(static_cast<double>(value));
    CAPTURE(value);
    CHECK(std::abs(fixed_log2(value) - right * score_unit) < 2);
    if (value < std::numeric_limits<std::uint64_t>::max()) {
      CHECK(fixed_log2(value) <= fixed_log2(value + 1));
    }
  }
}

TEST_CASE("every member draws the same numbers, in an order of its own") {
  std::vector<std::int32_t> a = draws("a", 1024);
  std::vector<std::int32_t> b = draws("b", 1024);
  CHECK(a == draws("a", 1024));
  std::size_t same_order = 0;
  for (std::size_t i = 1; i < a.size(); ++i) {
    if ((a[i - 1] < a[i]) == (b[i - 1] < b[i])) ++same_order;
  }
  CHECK(same_order > 450);
  CHECK(same_order < 575);
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  // The draws at rank r are -log2(-log2(u)) for u between r / 1024 and (r + 1) / 1024.
  for (std::size_t rank = 1; rank + 1 < a.size(); ++rank) {
    const auto score = [](std::size_t place) {
      return -std::log2(-std::log2(static_cast<double>(place) / 1024)) * score_unit;
    };
    CHECK(a[rank] >= score(rank) - 8);
    CHECK(b[rank] <= score(rank + 1) + 8);
  }
}

TEST_CASE("members of similar names draw apart") {
  // The partitions in which node-1 is in its best tenth are nothing special to node-2.
  const std::vector<std::int32_t> one = draws("node-1", 4096);
  const std::vector<std::int32_t> two = draws("node-2", 4096);
  const auto best_tenth = [](std::vector<std::int32_t> scores) {
    std::sort(scores.begin(), scores.end());
    return scores[scores.size() * 9 / 10];
  };
  const std::int32_t limit_one = best_tenth(one);
  const std::int32_t limit_two = best_tenth(two);
  int both = 0;
  for (std::size_t i = 0; i < one.size(); ++i) both += one[i] >= limit_one && two[i] >= limit_two;
  CHECK(both > 41 - 25);
  CHECK(both < 41 + 25);
}

}  // namespace
}  // namespace dynamo::core

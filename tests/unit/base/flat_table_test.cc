#include "base/flat_table.h"

#include <cstdint>
#include <map>

#include "base/prng.h"
#include "catch.hpp"

using dynamo::core::FlatTable;
using dynamo::core::Prng;

namespace {

// Of few values, so that entries lie far from where they belong, and around the end.
struct BadHash {
  std::size_t operator()(std::uint64_t key) const {
    return key % 7 == 0 ? ~std::size_t{0} : key % 5;
  }
};
struct Identity {
  std::size_t operator()(std::uint64_t key) const { return key; }
};

template <class Hash>
void compare_with_map(std::uint64_t seed) {
  Prng random(seed);
  FlatTable<std::uint64_t, int, Hash> table;
  std::map<std::uint64_t, int> model;
  for (int step = 0; step < 3000; ++step) {
    const std::uint64_t key = random.below(60);
    // It fills up for a while, and then empties.
    if (random.chance(step / 500 % 2 == 0 ? 0.7 : 0.2)) {
      table[key] += step;
      model[key] += step;
    } else {
      table.erase(key);
      model.erase(key);
    }
    table.prefetch(key);
    REQUIRE(table.size() == model.size());
    for (std::uint64_t other = 0; other < 60; ++other) {
      const auto at = model.find(other);
      const int* const found = table.find(other);
      REQUIRE((found != nullptr) == (at != model.end()));
      REQUIRE(table.contains(other) == (found != nullptr));
      if (found != nullptr) REQUIRE(*found == at->second);
    }
  }
  std::map<std::uint64_t, int> visited;
  table.for_each([&](std::uint64_t key, int value) { visited[key] = value; });
  CHECK(visited == model);
  for (const auto& [key, value] : model) table.erase(key);
  CHECK(table.size() == 0);
  CHECK(table.find(1) == nullptr);
}

}  // namespace

TEST_CASE("flat table: as a map, however badly the keys are spread") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    compare_with_map<Identity>(seed);
    compare_with_map<BadHash>(seed);
  }
}

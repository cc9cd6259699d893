#include "ring/shares.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include "catch.hpp"

namespace dynamo::core {
namespace {

// In partitions.
std::vector<double> shares(const std::vector<Owner>& owners, int partitions, int copies) {
  std::vector<double> shares;
  for (const std::int64_t share : fair_shares(owners, partitions, copies)) {
    shares.push_back(static_cast<double>(share) / share_unit);
  }
  return shares;
}

void check_near(const std::vector<double>& shares, const std::vector<double>& expected) {
  REQUIRE(shares.size() == expected.size());
  for (std::size_t i = 0; i < shares.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(shares[i] - expected[i]) < 0.01);
  }
}

TEST_CASE("shares go by weight") {
  const std::vector<Owner> owners{{0.25, 0}, {0.5, 1},  {1, 2},   {0.25, 3}, {0.5, 4},
                                  {1, 5},    {0.25, 6}, {0.5, 7}, {1, 8}};
  check_near(shares(owners, 1050, 1), {50, 100, 200, 50, 100, 200, 50, 100, 200});
  check_near(shares(owners, 1050, 3), {150, 300, 600, 150, 300, 600, 150, 300, 600});
}

TEST_CASE("nobody has a partition twice") {
  const std::vector<Owner> owners{{1, 0}, {0.1, 1}, {0.1, 2}, {0.1, 3}, {0.1, 4}};
  check_near(shares(owners, 100, 3), {100, 50, 50, 50, 50});
  check_near(shares(owners, 100, 5), {100, 100, 100, 100, 100});
  check_near(shares(owners, 100, 9), {100, 100, 100, 100, 100});
}

TEST_CASE("a zone has a partition once while others can have it") {
  const std::vector<Owner> owners{{1, 0}, {1, 1}, {1, 2}, {1, 2}, {1, 2}, {1, 2}};
  check_near(shares(owners, 120, 3), {120, 120, 30, 30, 30, 30});
  check_near(shares(owners, 120, 1), {20, 20, 20, 20, 20, 20});
  // The two small zones are used up: the large one has the fourth copy as well.
  check_near(shares(owners, 120, 4), {120, 120, 60, 60, 60, 60});
}

TEST_CASE("two zones for three copies have one or two each") {
  const std::vector<Owner> even{{1, 0}, {1, 0}, {1, 1}, {1, 1}};
  check_near(shares(even, 100, 3), {75, 75, 75, 75});
  // By weight alone the second zone would have a twentieth of all; by the rule it has a third.
  const std::vector<Owner> uneven{{1, 0}, {1, 0}, {0.05, 1}, {0.05, 1}};
  check_near(shares(uneven, 100, 3), {100, 100, 50, 50});
}

TEST_CASE("a weight next to nothing still adds up") {
  const std::vector<Owner> owners{{1, 0}, {weight_min, 1}};
  check_near(shares(owners, 8, 2), {8, 8});
}

}  // namespace
}  // namespace dynamo::core

// Random workloads, many seeds. DYNAMO_SEED=<n> runs that one alone.

#include <cstdlib>
#include <string>

#include "catch.hpp"
#include "workload.h"

TEST_CASE("every acknowledged put is readable from every node, or covered") {
  std::uint64_t first = 1;
  std::uint64_t last = 300;
  if (const char* seed = std::getenv("DYNAMO_SEED")) first = last = std::stoull(seed);
  int acknowledged = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("DYNAMO_SEED=" << seed);
    dynamo::testing::SimCluster cluster({.nodes = 3 + static_cast<int>(seed % 3), .seed = seed});
    constexpr int operations = 60;
    Workload workload(cluster, seed, operations);
    const std::vector<std::string> broken = workload.run();
    for (const std::string& rule : broken) UNSCOPED_INFO(rule);
    REQUIRE(broken.empty());
    acknowledged += workload.acknowledged();
  }
  // The run was about something.
  CHECK(acknowledged > 10 * static_cast<int>(last - first + 1));
}

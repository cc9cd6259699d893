// The register under fire (gossip_storm.h). DYNAMO_SEED=<n> runs that seed alone.

#include <cstdlib>
#include <string>

#include "catch.hpp"
#include "gossip_storm.h"

TEST_CASE("whatever happens, there is one view of each number, and in the end all agree") {
  std::uint64_t first = 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::uint64_t last = 20;
#else
  std::uint64_t last = 200;
#endif
  if (const char* seeds = std::getenv("DYNAMO_SEEDS")) last = std::stoull(seeds);
  if (const char* seed = std::getenv("DYNAMO_SEED")) first = last = std::stoull(seed);
  std::uint64_t views = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("DYNAMO_SEED=" << seed);
    test::GossipStorm storm(seed);
    CHECK(storm.run() == "");
    views += storm.views();
  }
  CHECK(views > 4 * (last - first + 1));
}

// Two clients of one node put the same key in the same turn. The node does not own the key, so both
// puts travel to the coordinator in one packet, and the machine takes them in one step. The second
// was applied to the record as it had been before the first, because what a step writes reaches the
// object buffer only at its end. Both versions got the same dot, and each replica kept one of them:
// an acknowledged write was lost. Found by the random workload of tests/sim, seed 13.

#include <algorithm>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>
#include <fmt/format.h>

#include "catch.hpp"

using dynamo::Context;
using namespace std::chrono_literals;

TEST_CASE("two puts that arrive in one packet are two versions") {
  dynamo::testing::SimCluster cluster({.nodes = 4});
  const dynamo::Store store = cluster.open(0, "carts").value();
  int number = 0;
  std::vector<std::string> owners;
  std::string key;
  do {
    key = fmt::format("k{}", ++number);
    owners = store.preference_list(key);
  } while (std::ranges::find(owners, "a") != owners.end());

  REQUIRE(owners.size() == 3);
  // From here on the coordinator writes the record under one name.
  REQUIRE(store.put(key, Context(), "tea").ok());
  int done = 0;
  for (const char* object : {"book", "pen"}) {
    store.async_put(key, Context(), object, [&](const absl::StatusOr<dynamo::PutResult>& result) {
      CHECK(result.ok());
      ++done;
    });
  }
  REQUIRE(cluster.run_until([&] { return done == 2; }, 1s));

  const absl::StatusOr<dynamo::GetResult> got = store.get(key);
  REQUIRE(got.ok());
  std::vector<std::string> objects;
  for (const dynamo::Version& version : got->versions) objects.push_back(version.object);
  std::ranges::sort(objects);
  CHECK(objects == std::vector<std::string>{"book", "pen", "tea"});
}

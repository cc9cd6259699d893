// When a cluster has converged.

#include <string>

#include <dynamo/testing/sim_cluster.h>

#include "catch.hpp"
#include "testing/sim_world.h"

using dynamo::Context;
using dynamo::Store;
using dynamo::testing::SimCluster;
using namespace std::chrono_literals;
using test::ContainsSubstring;

TEST_CASE("a cluster has converged once all owners have the same") {
  SimCluster cluster({.nodes = 3});
  CHECK(cluster.converged());  // on nothing
  const Store store = cluster.open(0, "carts", {.sloppy = false}).value();
  cluster.partition({{0, 1}, {2}});
  REQUIRE(store.put("k", Context(), "book").ok());
  CHECK_FALSE(cluster.converged());
  CHECK(cluster.world().not_converged() == "c lacks carts/k");

  cluster.heal();
  cluster.run_for(5s);  // until the others are known to be there again
  REQUIRE(store.get("k", {.r = 3}).ok());
  CHECK(cluster.run_until([&] { return cluster.converged(); }, 5s));
}

TEST_CASE("a hint is not convergence yet") {
  SimCluster cluster({.nodes = 5});
  const Store store = cluster.open(0, "carts", {.quorum = {.n = 3, .r = 2, .w = 3}}).value();
  int owner = 0;
  while (dynamo::testing::SimWorld::name_of(owner) != store.preference_list("k").at(2)) ++owner;
  REQUIRE(owner != 0);
  cluster.crash(owner);
  cluster.run_for(5s);
  REQUIRE(store.put("k", Context(), "book").ok());
  CHECK_THAT(cluster.world().not_converged(), ContainsSubstring("holds a hint"));
  cluster.restart(owner);
  CHECK(cluster.run_until([&] { return cluster.converged(); }, 60s));
  CHECK(cluster.world().record(owner, "carts", "k")->has_value());
}

TEST_CASE("a node that is down counts by its disk") {
  SimCluster cluster({.nodes = 3});
  const Store store = cluster.open(0, "carts", {.quorum = {.n = 3, .r = 2, .w = 3}}).value();
  REQUIRE(store.put("k", Context(), "book").ok());
  cluster.crash(2);
  CHECK(cluster.converged());
  cluster.wipe(2);
  CHECK_FALSE(cluster.converged());
  cluster.crash(0);
  cluster.crash(1);
  CHECK(cluster.world().not_converged() == "no node is up and has a view");
}

// Processes that were killed while others wrote have everything again, without a read.

#include <string>

#include "catch.hpp"
#include "cluster.h"

using test::Cluster;

TEST_CASE("a node that was dead while others wrote has it all, and can be alone with it") {
  Cluster cluster;
  cluster.start_all();
  for (int i = 0; i < 30; ++i) {
    REQUIRE(cluster[0].call("add k" + std::to_string(i) + " before").starts_with("ok"));
  }
  cluster[2].kill();
  for (int i = 0; i < 30; ++i) {
    REQUIRE(cluster[1].call("add k" + std::to_string(i) + " after").starts_with("ok"));
  }
  const std::string late = cluster[0].call("converge 2000");
  INFO(late);
  CHECK(late.starts_with("failed DEADLINE_EXCEEDED"));
  CHECK(late.find("c is unreachable") != std::string::npos);

  Cluster::require_ready(cluster[2].start());
  CHECK(cluster[1].call("converge 20000") == "ok ");
  cluster[0].kill();
  cluster[1].kill();
  for (int i = 0; i < 30; ++i) {
    CHECK(cluster[2].call("alone k" + std::to_string(i)) == "ok after,before");
  }
}

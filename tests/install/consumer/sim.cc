// An application's own test on the installed simulator: three nodes, one process, no real time.

#include <cstdio>

#include <dynamo/testing/sim_cluster.h>

int main() {
  dynamo::testing::SimCluster cluster({.nodes = 3});
  absl::StatusOr<dynamo::Store> writer = cluster.open(0, "greetings");
  absl::StatusOr<dynamo::Store> reader = cluster.open(2, "greetings");
  if (!writer.ok() || !reader.ok()) return 1;
  const auto put = writer->put("hello", dynamo::Context(), "world");
  const auto got = reader->get("hello");
  if (!put.ok() || !got.ok()) return 1;
  std::printf("hello %s\n", got->object().c_str());
  return got->object() == "world" ? 0 : 1;
}

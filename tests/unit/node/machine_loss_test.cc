// What happens to an operation whose messages are lost although everybody is well.

#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/node/machine_cluster.h"

using namespace dynamo::core;
using std::chrono::milliseconds;
using test::MachineCluster;

namespace {

// As advance() with three nodes, but that `taken` takes packets off the wire.
void advance_but(MachineCluster& cluster, milliseconds duration,
                 const std::function<bool(const MachineCluster::Sent&)>& taken) {
  const std::vector<std::string> names = {"a", "b", "c"};
  const TimePoint until = cluster.now.steady + duration;
  while (cluster.now.steady < until) {
    cluster.now.steady += milliseconds(10);
    for (const std::string& name : names) {
      if (cluster.node(name).machine->next_tick() <= cluster.now.steady) cluster.step(name, Tick{});
    }
    for (cluster.drop(taken); !cluster.packets.empty(); cluster.drop(taken)) {
      cluster.deliver();
      for (const std::string& name : names) cluster.sync(name);
    }
  }
}

}  // namespace

TEST_CASE("owners that a burst never reached are sent the set again, within the timeout") {
  // 128 puts of 64 KiB at once were more than the queue to a peer holds; with w=3, or if both
  // replicas had lost the same one, such a put ended at its timeout.
  MachineCluster cluster({"a", "b", "c"});
  const std::uint64_t put = cluster.put("a", "k", "tea", {.w = 3, .timeout = milliseconds(2000)});
  cluster.sync("a");
  CHECK(cluster.drop(test::holds<WriteRequest>) == 2);
  cluster.advance(milliseconds(600));
  REQUIRE(cluster.finished(put));
  CHECK(cluster.done(put).ok());
  CHECK(cluster.sent<WriteRequest>() == 4);
}

TEST_CASE("answers of all replicas that are lost are given again") {
  MachineCluster cluster({"a", "b", "c", "d"});
  const std::string key = cluster.key_not_owned_by("d");
  REQUIRE(cluster.put_now("a", key, "tea", {.w = 3}).ok());
  const std::uint64_t get = cluster.get("d", key, {.r = 3, .timeout = milliseconds(2000)});
  cluster.deliver();
  CHECK(cluster.drop(test::holds<ReadReply>) == 3);
  cluster.advance(milliseconds(600));
  REQUIRE(cluster.finished(get));
  CHECK(cluster.got(get)->versions.size() == 1);
}

TEST_CASE("what is lost twice is sent a third time") {
  MachineCluster cluster({"a", "b", "c"});
  const std::uint64_t put = cluster.put("a", "k", "tea", {.w = 3, .timeout = milliseconds(4000)});
  cluster.sync("a");
  int lost = 0;
  advance_but(cluster, milliseconds(2000), [&](const MachineCluster::Sent& sent) {
    return test::holds<WriteRequest>(sent) && ++lost <= 4;
  });
  REQUIRE(cluster.finished(put));
  CHECK(cluster.done(put).ok());
  CHECK(lost == 6);
}

TEST_CASE("a replica that is slow and not deaf is not given its work twice") {
  MachineCluster cluster({"a", "b", "c"});
  const std::uint64_t put = cluster.put("a", "k", "tea", {.w = 3, .timeout = milliseconds(2000)});
  cluster.sync("a");
  // What is sent to b waits in front of it: the request, and behind it every ping. It says enough
  // itself to be taken for alive.
  std::vector<MachineCluster::Sent> waiting;
  advance_but(cluster, milliseconds(900), [&](const MachineCluster::Sent& sent) {
    if (sent.to == "b") waiting.push_back(sent);
    return sent.to == "b";
  });
  CHECK_FALSE(cluster.finished(put));
  CHECK(cluster.sent<WriteRequest>() == 2);
  CHECK(cluster.sent<Ping>() > 0);
  for (const MachineCluster::Sent& sent : waiting) cluster.deliver(sent);
  cluster.run();
  REQUIRE(cluster.finished(put));
  CHECK(cluster.done(put).ok());
  CHECK(cluster.sent<WriteRequest>() == 2);
}

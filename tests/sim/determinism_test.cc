// The same seed gives the same run, byte for byte.

#include <string>

#include <fmt/format.h>

#include "base/hash.h"
#include "catch.hpp"
#include "testing/sim_world.h"
#include "workload.h"

namespace {

using namespace std::chrono_literals;

// Every packet of a run: when, whose, for whom, and a hash of its bytes.
struct Trace {
  std::string text{};
  std::uint64_t hash = 0;
  int packets = 0;
};

Trace trace_of(std::uint64_t seed) {
  Trace trace;
  dynamo::testing::SimCluster cluster({.nodes = 4, .seed = seed});
  cluster.world().network().observe([&trace](const dynamo::testing::SimPacket& packet) {
    trace.hash = dynamo::core::hash64(packet.bytes, trace.hash);
    trace.text += fmt::format("{} {} -> {} {} bytes {:016x}\n", packet.sent_at.count(), packet.from,
                              packet.to, packet.bytes.size(), trace.hash);
    ++trace.packets;
  });
  constexpr std::uint64_t workload_seed = 7;  // the same work: only the cluster's chance differs
  Workload work(cluster, workload_seed, 200);
  REQUIRE(work.run().empty());
  cluster.world().network().disconnect(cluster.node(1).address());
  cluster.run_for(3s);
  const dynamo::Store store =
      cluster.open(2, "sessions", {.reconciler = dynamo::last_write_wins()}).value();
  int unavailable = 0;
  for (int i = 0; i < 20; ++i) {
    unavailable += store.put(fmt::format("s{}", i), {}, "on").ok() ? 0 : 1;
  }
  CHECK(unavailable == 0);
  cluster.world().network().connect(cluster.node(1).address());
  cluster.run_for(3s);
  return trace;
}

}  // namespace

TEST_CASE("two runs of one seed send the same packets at the same times") {
  const Trace one = trace_of(1);
  const Trace again = trace_of(1);
  CHECK(one.packets > 500);
  CHECK(one.hash == again.hash);
  CHECK(one.text == again.text);
}

TEST_CASE("another seed is another run") {
  const Trace one = trace_of(1);
  const Trace other = trace_of(2);
  CHECK(one.hash != other.hash);
  CHECK(one.text != other.text);
}

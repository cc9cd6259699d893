// The same seed gives the same run, byte for byte.

#include <string>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/prng.h"
#include "catch.hpp"
#include "testing/sim_world.h"
#include "workload.h"

namespace {

using namespace std::chrono_literals;

// Every packet of a run: when, whose, for whom, and a hash of its bytes.
struct Trace {
  std::string text{};
  std::uint64_t hash = 0;
  std::uint64_t trace_hash = 0;  // the cluster's own
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
  trace.trace_hash = cluster.trace_hash();
  return trace;
}

// Everything that can go wrong, at once, for ten seconds.
std::uint64_t trace_hash_under_faults(std::uint64_t seed) {
  dynamo::testing::SimCluster cluster({.nodes = 5,
                                       .seed = seed,
                                       .network = {.latency_mean = 2ms,
                                                   .loss = 0.05,
                                                   .duplication = 0.1,
                                                   .reordering = 0.1,
                                                   .replay = 0.1},
                                       .disk = {.write_error = 0.05, .bit_rot = 0.001},
                                       .clock_drift = 0.01});
  dynamo::core::Prng prng(7);
  for (int i = 0; i < 200; ++i) {
    const int node = static_cast<int>(prng.below(5));
    switch (prng.below(8)) {
      case 0:
        cluster.crash(node);
        break;
      case 1:
        cluster.power_loss(node);
        break;
      case 2:
        cluster.pause(node);
        break;
      case 3:
        cluster.resume(node);
        break;
      case 4:
        cluster.cut(node, (node + 1) % 5);
        break;
      case 5:
        cluster.heal();
        break;
      case 6:
        cluster.shift_clock(node, 1s);
        break;
      default:
        if (!cluster.is_up(node)) cluster.restart(node);
    }
    const absl::StatusOr<dynamo::Store> store = cluster.open(node, "carts");
    if (store.ok()) {
      store->async_put(fmt::format("k{}", prng.below(10)), {}, "book",
                       [](const absl::StatusOr<dynamo::PutResult>&) {});
    }
    cluster.run_for(50ms);
  }
  CHECK(cluster.world().journal().faults() > 150);
  return cluster.trace_hash();
}

}  // namespace

TEST_CASE("two runs of one seed send the same packets at the same times") {
  const Trace one = trace_of(1);
  const Trace again = trace_of(1);
  CHECK(one.packets > 500);
  CHECK(one.hash == again.hash);
  CHECK(one.text == again.text);
  CHECK(one.trace_hash == again.trace_hash);
}

TEST_CASE("two runs of one seed are the same under every fault") {
  const std::uint64_t one = trace_hash_under_faults(1);
  // With every compiler and sanitizer. It changes with whatever nodes say, write or answer.
  CHECK(one == 0x8843e286c2c2a88a);
  CHECK(trace_hash_under_faults(1) == one);
  CHECK(trace_hash_under_faults(2) != one);
}

TEST_CASE("another seed is another run") {
  const Trace one = trace_of(1);
  const Trace other = trace_of(2);
  CHECK(one.hash != other.hash);
  CHECK(one.text != other.text);
  CHECK(one.trace_hash != other.trace_hash);
}

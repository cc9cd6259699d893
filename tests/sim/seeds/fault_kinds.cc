// The faults that take more than a line.

#include <algorithm>

#include <fmt/format.h>

#include "fault_plan.h"
#include "node/engine_keys.h"
#include "testing/sim_world.h"

namespace seeds {

using dynamo::core::Prng;
using dynamo::testing::SimWorld;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

void FaultPlan::split(Prng& random) {
  const auto nodes = static_cast<std::uint64_t>(cluster_.size());
  const int one = static_cast<int>(random.below(nodes));
  const int other =
      static_cast<int>((static_cast<std::uint64_t>(one) + 1 + random.below(nodes - 1)) % nodes);
  std::vector<int> half;
  for (int node = 0; node < cluster_.size(); ++node) {
    if (random.chance(0.5)) half.push_back(node);
  }
  cluster_.heal();
  switch (random.below(6)) {
    case 0:
    case 1:
      note(fmt::format("{} is cut off", SimWorld::name_of(one)));
      cluster_.partition({{one}});
      break;
    case 2:
      note(fmt::format("{} nodes are cut off", half.size()));
      cluster_.partition({half});
      break;
    case 3: {
      std::vector<int> rest;
      for (int node = 0; node < cluster_.size(); ++node) {
        if (std::ranges::find(half, node) == half.end()) rest.push_back(node);
      }
      note(fmt::format("two halves, and {} is in both", SimWorld::name_of(one)));
      half.push_back(one);
      rest.push_back(one);
      cluster_.partition({half, rest});
      break;
    }
    case 4:
      note(fmt::format("{} does not reach {}", SimWorld::name_of(one), SimWorld::name_of(other)));
      cluster_.cut(one, other);
      break;
    default:
      note(fmt::format("{} hears nobody", SimWorld::name_of(one)));
      for (int node = 0; node < cluster_.size(); ++node) {
        if (node != one) cluster_.cut(node, one);
      }
  }
  ++done_;
  std::erase_if(endings_,
                [](const Ending& ending) { return ending.fault == FaultClass::partition; });
  endings_.push_back(
      {cluster_.now() + draw_duration(FaultClass::partition, 60'000), FaultClass::partition, 0});
}

// Links stall one after the other, and come back in another order.
void FaultPlan::clog(Prng& random) {
  const auto now = cluster_.world().context().scheduler().now();
  for (int from = 0; from < cluster_.size(); ++from) {
    for (int to = 0; to < cluster_.size(); ++to) {
      const nanoseconds stall = milliseconds(static_cast<int>(random.below(5000)));
      if (from == to || !random.chance(0.3)) continue;
      cluster_.world().network().clog(SimWorld::name_of(from), SimWorld::name_of(to), now + stall);
    }
  }
  note("links are clogged");
  ++done_;
}

void FaultPlan::rot(int node) {
  std::vector<std::string> keys;
  cluster_.world().scan(node, dynamo::core::first_key(dynamo::core::RecordKind::object),
                        [&](std::string_view key, std::string_view) {
                          const bool object =
                              dynamo::core::is_kind(key, dynamo::core::RecordKind::object);
                          if (object) keys.emplace_back(key);
                          return object;
                        });
  const std::uint64_t drawn = prng(FaultClass::bit_rot).next();
  if (keys.empty() || !cluster_.world().storage(node).rot(keys[drawn % keys.size()])) return;
  note(fmt::format("a record of {} rots", SimWorld::name_of(node)));
  ++done_;
  lose_disk(node);
}

void FaultPlan::shift_clock(int node) {
  Prng& random = prng(FaultClass::clock);
  const bool far = random.chance(0.3);
  const std::int64_t most_ms = far ? 24 * 3600 * 1000 : 2000;
  const milliseconds by(
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * most_ms + 1))) -
      most_ms);
  cluster_.shift_clock(node, by);
  computers_[static_cast<std::size_t>(node)].clock += by;
  note(fmt::format("the clock of {} jumps by {} ms", SimWorld::name_of(node), by.count()));
  ++done_;
}

}  // namespace seeds

// Members that come and go, and what happens to them meanwhile and afterwards.

#include <algorithm>

#include <fmt/format.h>

#include "fault_plan.h"
#include "members.h"
#include "ring/next_view.h"
#include "testing/sim_world.h"

namespace seeds {

using dynamo::Change;
using dynamo::Member;
using dynamo::MemberState;
using dynamo::core::Prng;
using dynamo::testing::SimWorld;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;

namespace {

constexpr auto ask_again = 2s;
// Whoever was asked to leave may have done so by then, or have died before anybody heard of it.
constexpr auto leave_patience = 60s;

}  // namespace

void FaultPlan::join() {
  Prng& random = prng(FaultClass::join);
  const bool disturbed = random.chance(0.5);
  if (cluster_.size() >= options_.computers_max) return;
  const absl::StatusOr<int> added = cluster_.world().add();
  if (!added.ok()) {
    return findings_.fail("C14", "a new node does not start: " + added.status().ToString());
  }
  computers_.resize(static_cast<std::size_t>(cluster_.size()));
  note(fmt::format("{} joins", SimWorld::name_of(*added)));
  ++done_;
  if (disturbed) meddle_later(FaultClass::join, *added);
}

bool FaultPlan::is_joining(int node) {
  const Member* member =
      dynamo::core::present_member(cluster_.world().latest_view(), SimWorld::name_of(node));
  return member != nullptr && member->state == MemberState::joining;
}

bool FaultPlan::is_leaving(int node) {
  const nanoseconds since = computers_[static_cast<std::size_t>(node)].leaves_since;
  if (since != Time{} && cluster_.now() - since < leave_patience) return true;
  const Member* member =
      dynamo::core::present_member(cluster_.world().latest_view(), SimWorld::name_of(node));
  return member != nullptr && member->state == MemberState::leaving;
}

// It is a member that stays, and enough others are.
bool FaultPlan::may_go(int node) {
  int staying = 0;
  bool stays = false;
  for (int other = 0; other < cluster_.size(); ++other) {
    const Computer& computer = computers_[static_cast<std::size_t>(other)];
    const Member* member =
        dynamo::core::present_member(cluster_.world().latest_view(), SimWorld::name_of(other));
    if (member == nullptr || computer.is_gone || computer.is_removed || is_leaving(other)) continue;
    ++staying;
    stays = stays || other == node;
  }
  return stays && staying > options_.members_min;
}

void FaultPlan::leave(int node) {
  Prng& random = prng(FaultClass::leave);
  const bool disturbed = random.chance(0.5);
  if (!may_go(node) || !is_in_service(node)) return;
  note(fmt::format("{} is asked to leave", SimWorld::name_of(node)));
  computers_[static_cast<std::size_t>(node)].leaves_since = cluster_.now();
  cluster_.node(node).async_leave(10min, [this, node](const absl::Status& status) {
    note(fmt::format("{} leaves: {}", SimWorld::name_of(node), status.ToString()));
  });
  ++done_;
  if (disturbed) meddle_later(FaultClass::leave, node);
}

// Somebody who is down already, if there is one.
void FaultPlan::remove(int node) {
  const bool synced = options_.store.durability == dynamo::Durability::synced;
  int victim = node;
  for (int other = 0; other < cluster_.size() && synced; ++other) {
    const Computer& computer = computers_[static_cast<std::size_t>(other)];
    if (!cluster_.is_up(other) && !computer.is_gone && !computer.is_removed) victim = other;
  }
  Computer& computer = computers_[static_cast<std::size_t>(victim)];
  if (computer.is_gone || computer.is_old_copy || computer.was_old_copy || !may_go(victim)) return;
  const bool is_up = cluster_.is_up(victim);
  if (is_up ? !may_lose_disk(victim) || !may_die(victim)
            : disk_is_lost_ || options_.store.quorum.n < 2 || options_.store.quorum.w < 2) {
    return;
  }
  note(fmt::format("{} is to be removed", SimWorld::name_of(victim)));
  if (is_up) kill(FaultClass::remove, victim);
  lose_disk(victim);
  computer.is_removed = true;
  computer.backup.reset();
  computer.up_at = nanoseconds::max();
  ask_at_ = cluster_.now() + ask_again;
  ++done_;
  meddle_later(FaultClass::remove, node);
}

void FaultPlan::ask_to_remove(int node) {
  Prng& random = prng(FaultClass::remove);
  const auto nodes = static_cast<std::uint64_t>(cluster_.size());
  const auto asked = static_cast<int>(random.below(nodes));
  if (!is_in_service(asked) || cluster_.world().is_paused(asked)) return;
  const Change change{.kind = Change::Kind::remove, .member = {.name = SimWorld::name_of(node)}};
  cluster_.world().host(asked).change(change, [](const absl::Status&) {});
}

// In the middle of the moves that a change brings.
void FaultPlan::meddle_later(FaultClass change, int node) {
  const auto most = static_cast<std::uint64_t>(prng(change).chance(0.5) ? 500 : 8000);
  const milliseconds delay(static_cast<std::int64_t>(prng(change).below(most)));
  endings_.push_back({cluster_.now() + delay, change, node});
}

void FaultPlan::meddle(FaultClass change, int node) {
  Prng& random = prng(change);
  const std::uint64_t what = random.below(4);
  const nanoseconds rest = draw_duration(change, 20'000);
  const auto other = static_cast<int>(random.below(static_cast<std::uint64_t>(cluster_.size())));
  const int victim = what == 3 ? other : node;
  Computer& computer = computers_[static_cast<std::size_t>(victim)];
  if (!cluster_.is_up(victim) || computer.is_gone || computer.is_old_copy) return;
  if (what == 1 && options_.has(FaultClass::partition)) {
    note(fmt::format("{} is cut off in the middle of it", SimWorld::name_of(victim)));
    cluster_.heal();
    cluster_.partition({{victim}});
    endings_.push_back({cluster_.now() + rest, FaultClass::partition, 0});
  } else if (what == 2 && options_.has(FaultClass::pause)) {
    note(fmt::format("pause at {} in the middle of it", SimWorld::name_of(victim)));
    cluster_.pause(victim);
    endings_.push_back({cluster_.now() + rest, FaultClass::pause, victim});
  } else if (what % 3 == 0 && options_.has(FaultClass::crash) && may_die(victim)) {
    kill(change, victim);
  }
}

void FaultPlan::look_at_members() {
  const bool ask = ask_at_ <= cluster_.now();
  if (ask) ask_at_ = cluster_.now() + ask_again;
  for (int node = 0; node < cluster_.size(); ++node) {
    Computer& computer = computers_[static_cast<std::size_t>(node)];
    if (!computer.is_gone && seeds::is_gone(cluster_, node)) {
      computer.is_gone = true;
      begin_afterlife(node);
    } else if (computer.is_removed && ask) {
      ask_to_remove(node);
    }
  }
}

// It goes on for nothing, ends, comes back as it was, or comes back with an empty disk to join.
void FaultPlan::begin_afterlife(int node) {
  Computer& computer = computers_[static_cast<std::size_t>(node)];
  Prng& random = prng(computer.is_removed ? FaultClass::remove : FaultClass::leave);
  const std::uint64_t what = random.below(6);
  const nanoseconds rest = draw_duration(FaultClass::leave, 60'000);
  note(fmt::format("{} has gone", SimWorld::name_of(node)));
  computer.is_removed = computer.is_old_copy = computer.was_old_copy = false;
  computer.leaves_since = {};
  computer.backup.reset();
  std::erase_if(endings_, [node](const Ending& ending) {
    return ending.node == node && ending.fault == FaultClass::data_loss;
  });
  if (!cluster_.is_up(node)) computer.up_at = nanoseconds::max();
  if (what == 0) return;
  cluster_.crash(node);
  computer.up_at = what == 1 ? nanoseconds::max() : cluster_.now() + rest;
  if (what < 3) return;
  note(fmt::format("{} gets an empty disk, to join as a new node", SimWorld::name_of(node)));
  cluster_.wipe(node);
  computer.is_gone = false;
}

}  // namespace seeds

#include "fault_plan.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "members.h"
#include "testing/sim_world.h"

namespace seeds {

using dynamo::core::Prng;
using dynamo::testing::SimCluster;
using dynamo::testing::SimWorld;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t index(FaultClass fault) { return static_cast<std::size_t>(fault); }

// A buffered write is on all its disks by then.
constexpr auto flushed = 4s;

}  // namespace

FaultPlan::FaultPlan(SimCluster& cluster, Findings& findings, const SeedOptions& options,
                     FaultListener listener)
    : cluster_(cluster),
      findings_(findings),
      options_(options),
      listener_(std::move(listener)),
      computers_(static_cast<std::size_t>(cluster.size())) {
  for (std::size_t i = 0; i < fault_classes; ++i) {
    const auto fault = static_cast<FaultClass>(i);
    prngs_.emplace_back(dynamo::core::hash64(to_string(fault), options.seed ^ 0x706c616e));
    due_[i] = options.has(fault) ? cluster_.now() + period(fault) : nanoseconds::max();
  }
}

Prng& FaultPlan::prng(FaultClass fault) { return prngs_[index(fault)]; }

nanoseconds FaultPlan::period(FaultClass fault) {
  const auto mean = static_cast<std::uint64_t>(options_.period[index(fault)].count());
  return milliseconds(static_cast<std::int64_t>(1 + prng(fault).below(2 * mean)));
}

nanoseconds FaultPlan::draw_duration(FaultClass fault, int most_ms) {
  // Short ones are as frequent as long ones.
  const int most = prng(fault).chance(0.5) ? most_ms / 20 : most_ms;
  return milliseconds(1 + static_cast<int>(prng(fault).below(static_cast<std::uint64_t>(most))));
}

int FaultPlan::draw_node(FaultClass fault) {
  const auto drawn =
      static_cast<int>(prng(fault).below(static_cast<std::uint64_t>(cluster_.size())));
  if (fault != FaultClass::old_copy) return drawn;
  // A backup comes back, if there is one: few clusters live long enough for luck to do it.
  const auto at = std::ranges::find_if(
      computers_, [](const Computer& each) { return each.backup.has_value(); });
  return at == computers_.end() ? drawn : static_cast<int>(at - computers_.begin());
}

int FaultPlan::down() {
  int count = 0;
  for (int node = 0; node < cluster_.size(); ++node) {
    const bool gone = computers_[static_cast<std::size_t>(node)].is_gone;
    count += cluster_.is_up(node) || gone ? 0 : 1;
  }
  return count;
}

void FaultPlan::note(const std::string& text) {
  findings_.note(-1, [&] { return text; });
}

nanoseconds FaultPlan::next() const {
  nanoseconds at = *std::ranges::min_element(due_);
  for (const Ending& ending : endings_) at = std::min(at, ending.at);
  if (std::ranges::any_of(computers_, &Computer::is_removed)) at = std::min(at, ask_at_);
  for (int node = 0; node < cluster_.size(); ++node) {
    if (cluster_.is_up(node)) continue;
    at = std::min(at, computers_[static_cast<std::size_t>(node)].up_at);
  }
  return at;
}

void FaultPlan::act() {
  const nanoseconds now = cluster_.now();
  look_at_members();
  look_whether_whole();
  for (std::size_t i = 0; i < endings_.size();) {
    if (endings_[i].at > now) {
      ++i;
      continue;
    }
    const Ending ending = endings_[i];
    endings_.erase(endings_.begin() + static_cast<std::ptrdiff_t>(i));
    end(ending);
  }
  for (int node = 0; node < cluster_.size(); ++node) {
    if (!cluster_.is_up(node) && computers_[static_cast<std::size_t>(node)].up_at <= now) {
      start(node);
    }
  }
  for (std::size_t i = 0; i < fault_classes; ++i) {
    if (due_[i] > now) continue;
    begin(static_cast<FaultClass>(i));
    due_[i] = now + period(static_cast<FaultClass>(i));
  }
}

void FaultPlan::begin(FaultClass fault) {
  // The draws are made whether or not anything comes of them.
  const int node = draw_node(fault);
  if (fault == FaultClass::partition) return split(prng(fault));
  if (fault == FaultClass::clog) return clog(prng(fault));
  if (fault == FaultClass::clock) return shift_clock(node);
  if (fault == FaultClass::join) return join();
  if (fault == FaultClass::remove) return remove(node);
  const Computer& computer = computers_[static_cast<std::size_t>(node)];
  if (!cluster_.is_up(node) || computer.is_old_copy || computer.is_gone) return;
  begin_on(fault, node);
}

void FaultPlan::begin_on(FaultClass fault, int node) {
  auto& storage = cluster_.world().storage(node);
  const auto ends_after = [&](nanoseconds duration) {
    endings_.push_back({cluster_.now() + duration, fault, node});
    note(fmt::format("{} at {}, for {} ms", to_string(fault), SimWorld::name_of(node),
                     duration.count() / 1'000'000));
    ++done_;
  };
  switch (fault) {
    case FaultClass::crash:
    case FaultClass::power_loss:
      if (may_die(node)) kill(fault, node);
      return;
    case FaultClass::pause:
      cluster_.pause(node);
      return ends_after(draw_duration(fault, 60'000));
    case FaultClass::full_disk:
      storage.set_full(true);
      return ends_after(draw_duration(fault, 20'000));
    case FaultClass::slow_disk:
      storage.slow_down(static_cast<int>(1000 + prng(fault).below(3000)));
      return ends_after(draw_duration(fault, 20'000));
    case FaultClass::data_loss:
      storage.fail_next_write(absl::DataLossError("I/O error"));
      computers_[static_cast<std::size_t>(node)].write_will_fail = true;
      return ends_after(draw_duration(fault, 20'000));
    case FaultClass::bit_rot:
      if (may_lose_disk(node)) rot(node);
      return;
    case FaultClass::wipe:
      if (may_lose_disk(node) && may_die(node)) kill(fault, node);
      return;
    case FaultClass::old_copy: {
      // A backup now, which the next of this class brings back. The boot in between is what gives
      // the copy away. (Without one it is not known for what it is, and a hint in it that is older
      // than what has been sealed since is refused for ever: no loss, but no convergence either.)
      auto& backup = computers_[static_cast<std::size_t>(node)].backup;
      if (backup && may_lose_disk(node) && may_die(node)) return kill(fault, node);
      if (backup || !may_die(node)) return;
      backup = cluster_.disk_of(node);
      kill(FaultClass::crash, node);
      return;
    }
    case FaultClass::leave:
      return leave(node);
    default:
      return;
  }
}

void FaultPlan::end(const Ending& ending) {
  if (ending.fault == FaultClass::partition || ending.fault == FaultClass::clog) {
    note("the network heals");
    return cluster_.heal();
  }
  const bool is_change = ending.fault >= FaultClass::join;
  if (is_change) return meddle(ending.fault, ending.node);
  note(fmt::format("{} at {} ends", to_string(ending.fault), SimWorld::name_of(ending.node)));
  switch (ending.fault) {
    case FaultClass::pause:
      computers_[static_cast<std::size_t>(ending.node)].resumed_at = cluster_.now();
      return cluster_.resume(ending.node);
    case FaultClass::full_disk:
      return cluster_.world().storage(ending.node).set_full(false);
    case FaultClass::slow_disk:
      return cluster_.world().storage(ending.node).slow_down(1);
    case FaultClass::data_loss:
      // Out of service until it is started anew.
      if (cluster_.is_up(ending.node)) kill(FaultClass::crash, ending.node);
      return;
    case FaultClass::old_copy:
      return judge_old_copy(ending.node);
    default:
      return;
  }
}

bool FaultPlan::may_die(int node) {
  if (down() >= options_.down_max) return false;
  if (options_.store.durability == dynamo::Durability::synced) return true;
  if (cluster_.now() - last_death_ < flushed) return false;
  for (int i = 0; i < cluster_.size(); ++i) {
    if (cluster_.world().is_paused(i)) return false;
    if (cluster_.now() - computers_[static_cast<std::size_t>(i)].resumed_at < flushed) return false;
  }
  return cluster_.is_up(node);
}

bool FaultPlan::may_lose_disk(int node) {
  look_whether_whole();
  if (disk_is_lost_) return false;
  if (options_.store.quorum.n < 2) return false;
  // What w - 1 lost disks leave must be one at least; else all others must have it.
  const bool others_have_it =
      options_.store.quorum.w >= 2 || (cluster_.converged() && all_rebuilt());
  return others_have_it && cluster_.is_up(node);
}

void FaultPlan::look_whether_whole() {
  if (!disk_is_lost_ || next_look_ > cluster_.now()) return;
  next_look_ = cluster_.now() + 500ms;
  for (int node = 0; node < cluster_.size(); ++node) {
    if (computers_[static_cast<std::size_t>(node)].was_old_copy) return;
  }
  if (cluster_.converged() && all_rebuilt()) disk_is_lost_ = false;
}

void FaultPlan::lose_disk(int node) {
  disk_is_lost_ = true;
  if (listener_.disk_lost) listener_.disk_lost(node);
}

void FaultPlan::kill(FaultClass fault, int node) {
  Computer& computer = computers_[static_cast<std::size_t>(node)];
  if (listener_.going_down) listener_.going_down(node);
  if (is_leaving(node) || is_joining(node)) findings_.visit(Visit::death_in_move);
  // A part of it, until others have brought that back: what had not been flushed (seed 790135).
  if (options_.store.durability == dynamo::Durability::buffered) disk_is_lost_ = true;
  const nanoseconds rest = draw_duration(fault, 60'000);
  note(fmt::format("{} at {}, for {} ms", to_string(fault), SimWorld::name_of(node),
                   rest.count() / 1'000'000));
  ++done_;
  switch (fault) {
    case FaultClass::power_loss:
      cluster_.power_loss(node);
      break;
    case FaultClass::wipe:
      lose_disk(node);
      cluster_.wipe(node);
      computer.backup.reset();
      computer.was_old_copy = false;
      break;
    case FaultClass::old_copy:
      lose_disk(node);
      cluster_.restore_disk(node, *computer.backup);
      computer.backup.reset();
      computer.is_old_copy = computer.was_old_copy = true;
      break;
    default:
      cluster_.crash(node);
  }
  last_death_ = cluster_.now();
  computer.up_at = cluster_.now() + rest;
  std::erase_if(endings_, [node](const Ending& ending) {
    return ending.node == node &&
           (ending.fault == FaultClass::pause || ending.fault == FaultClass::data_loss);
  });
}

void FaultPlan::start(int node) {
  Computer& computer = computers_[static_cast<std::size_t>(node)];
  absl::Status status = cluster_.world().restart(node);
  if (std::exchange(computer.write_will_fail, false) && absl::IsDataLoss(status)) {
    status = cluster_.world().restart(node);
  }
  note(fmt::format("{} starts: {}", SimWorld::name_of(node), status.ToString()));
  if (computer.is_old_copy) {
    endings_.push_back({cluster_.now() + 20s, FaultClass::old_copy, node});
  }
  if (computer.is_gone) {
    computer.up_at = nanoseconds::max();
    if (absl::IsFailedPrecondition(status)) findings_.visit(Visit::gone_refused);
  } else if (computer.was_old_copy && absl::IsFailedPrecondition(status)) {
    replace_old_copy(node);
  } else if (absl::IsResourceExhausted(status)) {
    computer.up_at = cluster_.now() + 1s;  // its disk is full: no start that can count boots
  } else if (!status.ok()) {
    findings_.fail(
        "C14", fmt::format("{} does not start: {}", SimWorld::name_of(node), status.ToString()));
    computer.up_at = nanoseconds::max();
  }
}

bool FaultPlan::is_in_service(int node) {
  if (!cluster_.is_up(node)) return false;
  bool serves = false;
  cluster_.world().host(node).inspect(
      [&](const auto& state, const auto&) { serves = state.out_of_service.ok(); });
  return serves;
}

// An older copy of a disk is refused by whoever has seen the boots that it does not remember; then
// it is replaced, however late that is: perhaps the one who knows better was away.
void FaultPlan::judge_old_copy(int node) {
  Computer& computer = computers_[static_cast<std::size_t>(node)];
  computer.is_old_copy = false;
  if (computer.is_gone || !computer.was_old_copy || !cluster_.is_up(node) || is_in_service(node))
    return;
  replace_old_copy(node);
}

void FaultPlan::replace_old_copy(int node) {
  Computer& computer = computers_[static_cast<std::size_t>(node)];
  computer.is_old_copy = computer.was_old_copy = false;
  // Of the identity that goes now: with it back this node would have gone for good, and the place
  // of its name in the cluster would be empty for ever (seed 710834).
  computer.backup.reset();
  findings_.visit(Visit::old_copy_refused);
  note(fmt::format("{} is an old copy, and gets an empty disk", SimWorld::name_of(node)));
  cluster_.wipe(node);
  computer.up_at = cluster_.now() + 1s;
}

void FaultPlan::calm() { calm_but({}); }

void FaultPlan::calm_but(const std::vector<int>& away) {
  note("calm");
  look_at_members();
  endings_.clear();
  due_.fill(nanoseconds::max());
  cluster_.heal();
  cluster_.world().set_rates({}, {});
  for (int node = 0; node < cluster_.size(); ++node) {
    Computer& computer = computers_[static_cast<std::size_t>(node)];
    auto& storage = cluster_.world().storage(node);
    cluster_.resume(node);
    storage.set_full(false);
    storage.slow_down(1);
    if (computer.clock != nanoseconds(0)) cluster_.shift_clock(node, -computer.clock);
    computer.clock = {};
    if (std::exchange(computer.is_removed, false)) computer.up_at = {};
    if (computer.is_gone) continue;
    if (std::ranges::find(away, node) != away.end()) continue;
    judge_old_copy(node);
    if (computer.write_will_fail || !is_in_service(node)) cluster_.crash(node);
    if (!cluster_.is_up(node)) start(node);
    if (!cluster_.is_up(node)) start(node);  // it was refused as an old copy, and is empty now
  }
  endings_.clear();
  if (std::ranges::none_of(computers_, &Computer::was_old_copy)) return;
  cluster_.run_for(5s);  // until everybody has heard of everybody
  for (int node = 0; node < cluster_.size(); ++node) {
    if (std::ranges::find(away, node) != away.end()) continue;
    judge_old_copy(node);
    if (!cluster_.is_up(node)) start(node);
  }
}

bool FaultPlan::all_rebuilt() {
  for (int node = 0; node < cluster_.size(); ++node) {
    if (seeds::is_gone(cluster_, node)) continue;
    if (!cluster_.is_up(node)) return false;
    const dynamo::ClusterStatus status = cluster_.node(node).status();
    if (status.view == 0) return false;  // its disk was lost, and too few are there to let it in
    for (const std::string& text : status.notes) {
      if (text.starts_with("this node's disk was lost")) return false;
    }
  }
  return true;
}

}  // namespace seeds

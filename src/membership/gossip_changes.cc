// Changes of the membership that are asked for, until a view has them.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "membership/gossip_node.h"
#include "ring/placement.h"

namespace dynamo::membership {
namespace {

constexpr std::size_t pending_max = 65536;

bool is_same(const Change& a, const Change& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == Change::Kind::finish_move) return core::same_move(a.move, b.move);
  return a.member.name == b.member.name && a.member.identity == b.member.identity &&
         a.member.state == b.member.state;
}

bool is_joining(const Change& change) {
  return change.kind == Change::Kind::join || change.kind == Change::Kind::replace;
}

absl::Status check_change(const Change& change) {
  if (change.kind == Change::Kind::finish_move) return absl::OkStatus();
  if (change.member.name.empty()) return absl::InvalidArgumentError("a member without a name");
  if (!is_joining(change)) return absl::OkStatus();
  if (change.member.identity.is_zero() || change.member.address.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\": a member needs an identity and an address", change.member.name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status GossipMembership::change(const Change& change) {
  if (!running_ || !has_view()) {
    return absl::FailedPreconditionError("this node is in no cluster yet");
  }
  if (absl::Status status = check_change(change); !status.ok()) return status;
  if (change.kind == Change::Kind::finish_move) {
    // There may be thousands at a time: without a copy of the view for each.
    if (!core::has_move(*state_.view, change.move)) return absl::OkStatus();
    add_pending(change, {});
    go_on();
    return absl::OkStatus();
  }
  core::NextView trial(*state_.view, options_.partitions);
  if (absl::Status status = trial.apply(change); !status.ok()) return status;
  if (!trial.changed()) return absl::OkStatus();
  Change asked = change;
  // Whoever has that name now is meant, and not who may have it when this is decided.
  const Member* member = core::present_member(*state_.view, change.member.name);
  if (member != nullptr && asked.member.identity.is_zero())
    asked.member.identity = member->identity;
  add_pending(std::move(asked), {});
  go_on();
  return absl::OkStatus();
}

void GossipMembership::add_pending(Change change, std::string asker) {
  if (pending_.size() >= pending_max || !check_change(change).ok()) return;
  const auto known = std::ranges::find_if(
      pending_, [&](const Pending& pending) { return is_same(pending.change, change); });
  if (known == pending_.end()) {
    pending_.push_back({.change = std::move(change), .asker = std::move(asker), .since = now_});
  } else {
    known->change = std::move(change);
  }
}

// Address, zone and weight may be others than when this node was last started.
void GossipMembership::note_own_settings() {
  if (settings_at_ > now_) return;
  settings_at_ = now_ + forget_after;
  const Member* self = core::present_member(*state_.view, self_.name);
  if (self == nullptr || self->identity != self_.identity) return;
  const Change change{.kind = Change::Kind::join, .member = self_};
  if (!core::is_done(*state_.view, change)) add_pending(change, {});
}

void GossipMembership::refuse(const Pending& pending, std::string reason) {
  if (pending.asker.empty()) {
    stalled_ = std::move(reason);
  } else {
    send(pending.asker, Refused{.kind = pending.change.kind, .reason = std::move(reason)});
  }
}

// Whether a member that is to go still answers. `decided`: it is known.
bool GossipMembership::is_reachable(Pending& pending, const Member& member, bool& decided) {
  decided = true;
  if (member.identity == self_.identity) return true;
  // Another one may have come in between (seed 702025).
  if (!pending.probed_at || pending.probed != member.identity) {
    pending.probed = member.identity;
    pending.probed_at = now_;
    pending.probed_after = messages_heard_;
    send(member.address, Hello{});
    decided = false;
    return false;
  }
  const auto heard = heard_.find(member.identity);
  if (heard != heard_.end() && heard->second.message > pending.probed_after) return true;
  decided = now_ - *pending.probed_at >= probe_patience;
  return false;
}

// What it comes to in this view. Returns false if it is not decided yet; a change that is refused
// gets an empty name.
bool GossipMembership::prepare(Pending& pending, Change& change) {
  const bool joins = is_joining(change);
  const bool removes = change.kind == Change::Kind::remove && !change.force;
  if (!joins && !removes) return true;
  const Member* known = core::present_member(*state_.view, change.member.name);
  const bool goes = known != nullptr && (removes || known->identity != change.member.identity);
  if (!goes) return true;
  bool decided = false;
  if (is_reachable(pending, *known, decided)) {
    refuse(pending, fmt::format("{}: \"{}\" is a member that can be reached, at {}",
                                joins ? "join" : "remove", known->name, known->address));
    change.member.name.clear();
  } else if (decided && joins) {
    change.kind = Change::Kind::replace;
  }
  return decided;
}

// The members that others are likely to think of, too, so that what belongs together is changed
// together, and proposers do not outvote each other.
const Member* GossipMembership::preferred() const {
  const Member* first = nullptr;
  for (const Member& member : state_.view->members) {
    if (!core::is_present(member)) continue;
    const bool there = member.identity == self_.identity || heard_within(member.identity, lately);
    if (there && (first == nullptr || member.name < first->name)) first = &member;
  }
  return first;
}

// Returns whether somebody else is to see to what is pending.
bool GossipMembership::forward() {
  const Member* to = preferred();
  if (to == nullptr || to->identity == self_.identity) return false;
  bool patient = true;
  for (Pending& pending : pending_) {
    if (pending.change.force || now_ - pending.since > forward_patience) patient = false;
  }
  if (!patient) return false;
  for (Pending& pending : pending_) {
    const bool early =
        pending.forwarded_at != core::TimePoint{} && now_ - pending.forwarded_at < ask_period;
    if (early) continue;
    pending.forwarded_at = now_;
    send(to->address, Ask{pending.change});
  }
  return true;
}

void GossipMembership::go_on() {
  if (pending_.empty() || proposal_ || retry_at_ > now_) return;
  std::erase_if(pending_, [&](const Pending& one) {
    return now_ - one.since > forget_after || core::is_done(*state_.view, one.change);
  });
  if (pending_.empty()) return;
  if (forward()) return;
  const auto forced =
      std::ranges::find_if(pending_, [](const Pending& pending) { return pending.change.force; });
  const std::string without = forced == pending_.end() ? "" : forced->change.member.name;
  core::NextView next(*state_.view, options_.partitions);
  bool undecided = false;
  std::erase_if(pending_, [&](Pending& pending) {
    if (!without.empty() && !pending.change.force) return false;
    Change change = pending.change;
    if (!prepare(pending, change)) {
      undecided = true;
      return false;
    }
    const bool moves = change.kind == Change::Kind::finish_move;
    if (!moves && change.member.name.empty()) return true;
    const absl::Status status = next.apply(change);
    if (absl::IsFailedPrecondition(status)) refuse(pending, std::string(status.message()));
    return !status.ok();
  });
  if (!next.changed()) {
    if (!undecided && without.empty()) pending_.clear();  // the view has them all
    if (!without.empty()) std::erase_if(pending_, [](const Pending& p) { return p.change.force; });
    return;
  }
  std::vector<Proposal::Voter> voters;
  for (const Member& member : state_.view->members) {
    bool votes = core::is_present(member) && member.name != without;
    if (core::mutated(core::Mutant::majority_of_reachable)) {
      const bool here = member.identity == self_.identity;
      votes = votes && (here || heard_within(member.identity, silence));
    }
    if (votes) voters.push_back({.identity = member.identity, .address = member.address});
  }
  own_ = std::move(next).finish();
  const std::size_t needed = voters.size() / 2 + 1;
  start_proposal(state_.view->number + 1, std::move(voters), needed);
}

}  // namespace dynamo::membership

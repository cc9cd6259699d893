#include "ring/next_view.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "ring/placement.h"
#include "ring/plan_moves.h"

namespace dynamo::core {
namespace {

bool names(const std::vector<std::string>& side, std::string_view name) {
  return std::ranges::find(side, name) != side.end();
}

bool same_identity(const Identity& a, const Identity& b) {
  return a.is_zero() || b.is_zero() || a == b;
}

// What a member says of itself and may change at any start.
bool same_settings(const Member& a, const Member& b) {
  return a.address == b.address && a.zone == b.zone && a.weight == b.weight;
}

}  // namespace

const Member* present_member(const View& view, std::string_view name) {
  const auto at = std::ranges::find_if(view.members, [&](const Member& member) {
    return member.name == name && is_present(member);
  });
  return at == view.members.end() ? nullptr : &*at;
}

bool same_move(const Move& a, const Move& b) {
  return a.partition == b.partition && a.begun == b.begun && a.from == b.from && a.to == b.to;
}

bool has_move(const View& view, const Move& move) {
  const auto at = std::ranges::lower_bound(view.moves, move.partition, {},
                                           [](const Move& known) { return known.partition; });
  return at != view.moves.end() && same_move(*at, move);
}

bool is_done(const View& view, const Change& change) {
  const Member& member = change.member;
  const Member* const known = present_member(view, member.name);
  const bool is_it = known != nullptr && same_identity(known->identity, member.identity);
  switch (change.kind) {
    case Change::Kind::join:
    case Change::Kind::replace:
      return is_it && same_settings(*known, member);
    case Change::Kind::leave:
      return !is_it ||
             (member.state != MemberState::leaving && known->state == MemberState::leaving);
    case Change::Kind::remove:
      return !is_it;
    case Change::Kind::finish_move:
      return !has_move(view, change.move);
  }
  return true;
}

NextView::NextView(const View& before, int partitions)
    : before_(before), partitions_(partitions), members_(before.members), moves_(before.moves) {}

Member* NextView::find(std::string_view name) {
  const auto at = std::ranges::find_if(
      members_, [&](const Member& member) { return member.name == name && is_present(member); });
  return at == members_.end() ? nullptr : &*at;
}

absl::Status NextView::apply(const Change& change) {
  switch (change.kind) {
    case Change::Kind::join:
      return join(change.member);
    case Change::Kind::replace:
      return replace(change.member);
    case Change::Kind::leave:
      return leave(change.member);
    case Change::Kind::remove:
      return remove(change.member);
    case Change::Kind::finish_move:
      return finish_move(change.move);
  }
  return absl::InvalidArgumentError("an unknown kind of change");
}

// Gone is gone: also for one that wants the place of whoever has taken its own (seed 702841).
absl::Status NextView::check_not_gone(const Member& member) const {
  for (const Member& gone : members_) {
    if (is_present(gone) || gone.identity.is_zero() || gone.identity != member.identity) continue;
    return absl::FailedPreconditionError(fmt::format(
        "join: this data directory of \"{}\" has {} the cluster for good; start it with an empty "
        "one",
        member.name, gone.state == MemberState::left ? "left" : "been removed from"));
  }
  return absl::OkStatus();
}

absl::Status NextView::join(const Member& member) {
  if (absl::Status gone = check_not_gone(member); !gone.ok()) return gone;
  Member* const known = find(member.name);
  if (known == nullptr) {
    members_.push_back(member);
    members_.back().state = MemberState::joining;
    members_changed_ = true;
    return absl::OkStatus();
  }
  if (!same_identity(known->identity, member.identity)) {
    return absl::FailedPreconditionError(
        fmt::format("join: the name \"{}\" is taken by identity {} at {}", member.name,
                    known->identity.to_string(), known->address));
  }
  if (same_settings(*known, member)) return absl::OkStatus();
  known->address = member.address;
  known->zone = member.zone;
  known->weight = member.weight;
  members_changed_ = true;
  return absl::OkStatus();
}

// The slot stays, so nobody else owns more or less. What the first one was is not forgotten.
absl::Status NextView::replace(const Member& member) {
  Member* const known = find(member.name);
  if (known == nullptr || same_identity(known->identity, member.identity)) return join(member);
  if (absl::Status gone = check_not_gone(member); !gone.ok()) return gone;
  const MemberState state = known->state;
  known->state = MemberState::removed;
  replaced_.push_back(member.name);
  members_.push_back(member);
  members_.back().state = state;
  members_changed_ = true;
  return absl::OkStatus();
}

bool NextView::others_own(std::string_view name) const {
  return std::ranges::any_of(
      members_, [&](const Member& other) { return owns(other) && other.name != name; });
}

bool NextView::serves(std::string_view name) const {
  return std::ranges::any_of(moves_, [&](const Move& move) { return names(move.from, name); });
}

absl::Status NextView::leave(const Member& member) {
  Member* const leaver = find(member.name);
  if (leaver == nullptr || !same_identity(leaver->identity, member.identity)) {
    return absl::OkStatus();
  }
  if (!others_own(member.name)) {
    return absl::FailedPreconditionError(
        fmt::format("leave: nobody else can own what \"{}\" owns", member.name));
  }
  if (member.state != MemberState::leaving) {
    if (leaver->state == MemberState::leaving) return absl::OkStatus();
    leaver->state = MemberState::leaving;
  } else if (leaver->state != MemberState::leaving || members_changed_ || serves(member.name)) {
    return absl::UnavailableError(
        fmt::format("leave: what \"{}\" owns has not all been moved", member.name));
  } else {
    leaver->state = MemberState::left;
  }
  members_changed_ = true;
  return absl::OkStatus();
}

absl::Status NextView::remove(const Member& member) {
  Member* const known = find(member.name);
  if (known == nullptr) {
    const bool gone = std::ranges::any_of(
        members_, [&](const Member& other) { return other.name == member.name; });
    if (gone) return absl::OkStatus();
    return absl::FailedPreconditionError(
        fmt::format("remove: no member is named \"{}\"", member.name));
  }
  if (!same_identity(known->identity, member.identity)) return absl::OkStatus();
  if (!others_own(member.name)) {
    return absl::FailedPreconditionError(
        fmt::format("remove: nobody else can own what \"{}\" owns", member.name));
  }
  known->state = MemberState::removed;
  members_changed_ = true;
  return absl::OkStatus();
}

absl::Status NextView::finish_move(const Move& move) {
  const std::size_t ended =
      std::erase_if(moves_, [&](const Move& known) { return same_move(known, move); });
  moves_changed_ = moves_changed_ || ended > 0;
  return absl::OkStatus();
}

// Whoever gets nothing any more that it has not got is `up`.
void NextView::settle_newcomers(View& view) const {
  for (Member& member : view.members) {
    if (member.state != MemberState::joining) continue;
    const bool gets = std::ranges::any_of(view.moves, [&](const Move& move) {
      return names(move.to, member.name) && !names(move.from, member.name);
    });
    if (!gets) member.state = MemberState::up;
  }
}

View NextView::finish() && {
  View view{.number = before_.number + 1, .cluster = before_.cluster};
  view.members = std::move(members_);
  if (mutated(Mutant::gone_forgotten)) {
    std::erase_if(view.members, [](const Member& member) { return !is_present(member); });
  }
  std::ranges::stable_sort(view.members, {}, &Member::name);
  if (members_changed_) {
    View ended{.number = before_.number, .cluster = before_.cluster};
    ended.members = before_.members;
    ended.moves = std::move(moves_);
    view.moves = plan_moves(ended, view.members, partitions_);
  } else {
    view.moves = std::move(moves_);
  }
  // A move that somebody takes part in whose disk was lost begins anew: who was ready for it may be
  // so no more, and who asked to end it did not know.
  for (Move& move : view.moves) {
    const auto takes_part = [&](const std::string& name) {
      return names(move.from, name) || names(move.to, name);
    };
    if (std::ranges::any_of(replaced_, takes_part)) move.begun = view.number;
  }
  settle_newcomers(view);
  return view;
}

}  // namespace dynamo::core

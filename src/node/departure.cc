#include "node/departure.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/engine_keys.h"

namespace dynamo::core {

void Departure::start(const Turn& turn, const ClientWait& wait) {
  if (wait.goal == ClientWait::Goal::drained) {
    state_.draining = true;
  } else if (wait.goal == ClientWait::Goal::left && state_.ring != nullptr &&
             state_.member(state_.self.name) != nullptr) {
    leaving_ = true;
    change_at_ = {};
  }
  waiting_.emplace(wait.request, wait);
  look(turn);
}

bool Departure::cancel(const Turn& turn, std::uint64_t request) {
  if (waiting_.erase(request) == 0) return false;
  turn.out.waits.push_back({request, absl::CancelledError("cancelled; what was begun goes on")});
  return true;
}

std::size_t Departure::in_flight() const {
  std::size_t count = 0;
  for (const auto& strand : strands_) count += strand->size();
  return count;
}

std::string Departure::left_to_drain() const {
  if (const std::size_t requests = in_flight(); requests > 0) {
    return fmt::format("{} requests are in flight", requests);
  }
  if (!flushed_) return "what was acknowledged is on its way to the disk";
  if (handoff_.can_deliver()) {
    return fmt::format("{} hints are on their way to others", state_.hints.hints().size());
  }
  return {};
}

// Everything that is acknowledged goes to the disk, with this as the last write.
void Departure::drain(const Turn& turn) {
  if (in_flight() > 0 || flushing_ != 0 || !state_.takes_writes().ok()) return;
  flushing_ = state_.next_number();
  turn.write({.write = flushing_, .key = identity_key(), .record = encode_identity(state_.self)});
  turn.out.flush = true;
}

void Departure::synced(const Turn& turn, std::uint64_t write) {
  if (flushing_ == 0 || write != flushing_) return;
  flushed_ = true;
  look(turn);
}

// The next look makes another.
void Departure::failed(std::uint64_t write) {
  if (write == flushing_) flushing_ = 0;
}

// Whether some move still needs this node on its old side.
bool Departure::serves() const {
  return std::ranges::any_of(state_.view.moves, [&](const Move& move) {
    return std::ranges::find(move.from, state_.self.name) != move.from.end();
  });
}

std::string Departure::left_to_leave() const {
  const Member* self = state_.member(state_.self.name);
  if (self == nullptr) return {};
  if (self->state != MemberState::leaving) return "no view of the cluster says yet that it leaves";
  if (serves()) return fmt::format("{} partitions are moving", state_.view.moves.size());
  if (state_.former_known != state_.view.number || !state_.former.empty()) {
    return fmt::format("what it held of {} partitions is being given to their owners",
                       state_.former.size());
  }
  if (!state_.hints.hints().empty()) {
    return fmt::format("{} hints are owed to others", state_.hints.hints().size());
  }
  return "no view of the cluster says yet that it has left";
}

void Departure::leave(const Turn& turn) {
  const Member* self = state_.member(state_.self.name);
  if (self == nullptr) {
    leaving_ = false;  // it has left
    return;
  }
  const bool copies = (state_.former_known != state_.view.number || !state_.former.empty()) &&
                      !mutated(Mutant::left_with_copies);
  const bool hints = !state_.hints.hints().empty() && !mutated(Mutant::left_with_hints);
  const bool gone = self->state == MemberState::leaving && !serves() && !copies && !hints;
  if (self->state == MemberState::leaving && !gone) return;
  turn.out.changes.push_back({.change = {.kind = Change::Kind::leave, .member = *self}});
}

std::string Departure::left_to_remove(const std::string& member) const {
  if (state_.member(member) == nullptr) return {};
  return fmt::format(
      "\"{}\" is still a member in view {}: no majority of the members has answered, or it is "
      "there after all",
      member, state_.view.number);
}

std::string Departure::left_to_do(const ClientWait& wait) const {
  if (wait.goal == ClientWait::Goal::drained) return left_to_drain();
  if (state_.ring == nullptr) return "this node has no view of the cluster yet";
  return wait.goal == ClientWait::Goal::left ? left_to_leave() : left_to_remove(wait.member);
}

void Departure::look(const Turn& turn) {
  if (state_.draining) drain(turn);
  std::erase_if(waiting_, [&](const auto& entry) {
    const ClientWait& wait = entry.second;
    const std::string left = left_to_do(wait);
    if (left.empty()) {
      turn.out.waits.push_back({wait.request, absl::OkStatus()});
    } else if (wait.deadline > turn.now.steady) {
      return false;
    } else if (wait.goal == ClientWait::Goal::removed) {
      turn.out.waits.push_back({wait.request, absl::UnavailableError("remove: " + left)});
    } else {
      const bool leave = wait.goal == ClientWait::Goal::left;
      turn.out.waits.push_back(
          {wait.request, absl::DeadlineExceededError(
                             fmt::format("{}: {}; it goes on", leave ? "leave" : "drain", left))});
    }
    return true;
  });
}

void Departure::tick(const Turn& turn) {
  // It may have been asked to by an earlier life of this node.
  const Member* self = state_.member(state_.self.name);
  leaving_ = leaving_ || (self != nullptr && self->state == MemberState::leaving);
  if (leaving_ && change_at_ <= turn.now.steady) {
    change_at_ = turn.now.steady + again;
    leave(turn);
  }
  if (waiting_.empty() || look_at_ > turn.now.steady) return;
  look_at_ = turn.now.steady + look_again;
  look(turn);
}

TimePoint Departure::next_tick() const {
  return std::min(leaving_ ? change_at_ : TimePoint::max(),
                  waiting_.empty() ? TimePoint::max() : look_at_);
}

}  // namespace dynamo::core

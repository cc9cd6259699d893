#include "node/moves.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"

namespace dynamo::core {

void Moves::plan(TimePoint now) {
  if (planned_ == state_.ring) return;
  planned_ = state_.ring;
  std::map<int, Getting> getting;
  for (const int partition : state_.ring->moving()) {
    const std::uint64_t mark = state_.ring->move_mark(partition);
    if (!state_.holds(state_.ring->pending_owners(partition, n()), state_.self.name)) continue;
    const auto at = getting_.find(partition);
    getting[partition] = at != getting_.end() && at->second.mark == mark
                             ? at->second
                             : Getting{.mark = mark, .began = now, .since = state_.view.number};
  }
  getting_ = std::move(getting);
  std::erase_if(ready_, [&](const auto& one) { return !state_.ring->is_moving(one.first); });
  due_ = {};
}

void Moves::take(const Turn& turn, const std::string& from, const StoresReply&) {
  std::uint64_t& view = introduced_[from];
  view = std::max(view, turn.peer_view);
  if (!getting_.empty()) due_ = {};
}

void Moves::take(const Turn& turn, const std::string& from, const MoveReady& ready) {
  const auto partition = static_cast<int>(ready.partition);
  if (state_.ring == nullptr || partition >= state_.ring->partitions()) return;
  if (!state_.ring->is_moving(partition)) return;
  const Word word{ready.mark, state_.identity_of(from)};
  Word& known = ready_[partition][from];
  if (known.mark == word.mark && known.identity == word.identity) return;
  known = word;
  due_ = std::min(due_, turn.now.steady);
}

// Whether every old owner has said, in a view with this move, which stores there are. Asks those
// that have not.
bool Moves::introduced(const Turn&, int partition, const Getting& getting) {
  bool all = true;
  if (mutated(Mutant::stores_not_asked_for)) return true;
  for (std::string& name : state_.names(state_.ring->preference_list(partition, n()))) {
    if (state_.is_self(name)) continue;
    const auto at = introduced_.find(name);
    if (at != introduced_.end() && at->second >= getting.since) continue;
    all = false;
    if (!asked_.insert(name).second) continue;
    state_.outbox.send(name, StoresRequest{.operation = state_.next_number()});
  }
  return all;
}

void Moves::go_on(const Turn& turn, int partition, Getting& getting) {
  constexpr TimePoint hurry = std::chrono::seconds(10);
  const TimePoint now = turn.now.steady;
  const bool stored =
      state_.stored_view >= getting.since || mutated(Mutant::move_before_view_stored);
  if (getting.is_ready || !stored) return;
  if (!getting.round) {
    if (introduced(turn, partition, getting)) {
      getting.round = rounds_.hurry(partition, now, now + hurry);
    }
  } else if (rounds_.completed(partition) > *getting.round) {
    getting.is_ready = true;
  } else if (rounds_.idle(partition)) {
    rounds_.hurry(partition, now, now + hurry);
  }
}

void Moves::report(const Turn& turn, int partition, const Getting& getting) {
  const std::string first = state_.names(state_.ring->pending_owners(partition, 1)).front();
  const MoveReady ready{static_cast<std::uint32_t>(partition), getting.mark};
  if (state_.is_self(first)) {
    take(turn, first, ready);
  } else {
    state_.outbox.send(first, ready);
  }
}

bool Moves::all_ready(int partition) const {
  const auto words = ready_.find(partition);
  if (words == ready_.end()) return false;
  const std::uint64_t mark = state_.ring->move_mark(partition);
  const std::vector<std::string> owners = state_.names(state_.ring->pending_owners(partition, n()));
  const auto is_ready = [&](const std::string& name) {
    const auto word = words->second.find(name);
    return word != words->second.end() && word->second.mark == mark &&
           word->second.identity == state_.identity_of(name);
  };
  if (mutated(Mutant::move_ended_by_first)) return std::ranges::any_of(owners, is_ready);
  return std::ranges::all_of(owners, is_ready);
}

// What this node counts; and, by the member with the first name, moves that have lost a side.
void Moves::finish(const Turn& turn) {
  const auto first_member = std::ranges::min_element(state_.ring->members(), {}, &Member::name);
  const bool leads = state_.is_self(first_member->name);
  for (const Move& move : state_.view.moves) {
    const bool moving = state_.ring->is_moving(move.partition);
    if (moving ? all_ready(move.partition) : leads) {
      turn.out.changes.push_back({.change = {.kind = Change::Kind::finish_move, .move = move}});
    }
  }
}

void Moves::tick(const Turn& turn) {
  if (state_.ring == nullptr) return;
  if (state_.view.moves.empty()) {
    state_.transfers.clear();
    return;
  }
  plan(turn.now.steady);
  if (due_ > turn.now.steady || !state_.takes_writes().ok()) return;
  due_ = turn.now.steady + again;
  asked_.clear();
  for (auto& [partition, getting] : getting_) {
    go_on(turn, partition, getting);
    if (getting.is_ready) report(turn, partition, getting);
  }
  finish(turn);
  note_progress();
}

void Moves::note_progress() {
  state_.transfers.clear();
  for (const auto& [partition, getting] : getting_) {
    const ExchangeRounds::Progress progress = rounds_.progress(partition);
    state_.transfers[partition] = {.is_ready = getting.is_ready,
                                   .since = getting.began,
                                   .begun = progress.begun,
                                   .bytes = progress.bytes,
                                   .trouble = std::string(rounds_.trouble(partition))};
  }
}

TimePoint Moves::next_tick() const {
  if (state_.ring == nullptr || !state_.takes_writes().ok()) return TimePoint::max();
  if (state_.view.moves.empty()) return TimePoint::max();
  return planned_ == state_.ring ? due_ : TimePoint{};
}

}  // namespace dynamo::core

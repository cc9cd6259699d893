#include "unit/node/moves_run.h"

#include <algorithm>
#include <bit>

namespace test {

MovesRun::MovesRun(const Setting& setting, MovesMutant mutant)
    : setting_(setting), mutant_(mutant) {
  View& first = state_.view[++state_.views];
  first.members = static_cast<Mask>(bit(setting.members) - 1);
  place(first);
  first.from = side(first);
  for (std::uint8_t node = 0; node < setting.members; ++node) {
    state_.node[node].view = 1;
    state_.node[node].stored = 1;
  }
}

bool MovesRun::take(const Step& step) {
  const std::uint8_t a = step.a;
  const std::uint8_t b = step.b;
  switch (step.op) {
    case Op::put:
      return put(a);
    case Op::deliver:
      return a < state_.writes && deliver(a, b);
    case Op::sync:
      if (!alive(a) || state_.node[a].disk == state_.node[a].memory) return false;
      state_.node[a].disk = state_.node[a].memory;
      return true;
    case Op::answer:
      return a < state_.writes && answer(a, b);
    case Op::renew:
      return a < state_.writes && renew(a, b);
    case Op::adopt:
      return adopt(a, b);
    case Op::store:
      if (!alive(a) || state_.node[a].stored == state_.node[a].view) return false;
      state_.node[a].stored = state_.node[a].view;
      return true;
    case Op::crash:
      return alive(a) && crash(a);
    case Op::die:
      return alive(a) && die(a);
    case Op::compare:
      return compare(a, b);
    case Op::stand_in:
      return a < state_.writes && stand_in(a, b, step.c);
    case Op::hand_off:
      return hand_off(a, b);
    case Op::offer:
      return offer(a, b);
    case Op::drop:
      return drop(a);
    case Op::read:
      return begin_read(a);
    case Op::answer_read:
      return answer_read(a);
    default:
      return take_change(step);
  }
}

bool MovesRun::apply(const Step& step) {
  if (!take(step)) return false;
  check();
  return true;
}

bool MovesRun::put(std::uint8_t view) {
  if (view == 0 || view > state_.views || state_.writes == writes_max) return false;
  Write& write = state_.write[state_.writes++];
  write.first_view = view;
  write.view = view;
  write.for_whom.fill(nobody);
  return true;
}

// To whoever has at least heard of the view that it was sent in, since that comes with it.
bool MovesRun::deliver(std::uint8_t number, std::uint8_t to) {
  if (!owns(to)) return false;
  Node& node = state_.node[to];
  if (node.view < state_.write[number].first_view || has(node.memory, number)) return false;
  node.memory |= bit(number);
  return true;
}

bool MovesRun::answer(std::uint8_t number, std::uint8_t by) {
  Write& write = state_.write[number];
  if (write.acknowledged != 0 || has(write.answered, by) || !owns(by)) return false;
  const Node& node = state_.node[by];
  if (!has(is(MovesMutant::answers_unsynced) ? node.memory : node.disk, number)) return false;
  if (node.view != write.view && !is(MovesMutant::answers_of_any_view)) return false;
  if (node.view < write.first_view) return false;
  write.answered |= bit(by);
  acknowledge(number);
  return true;
}

int MovesRun::needed(std::uint8_t quorum, Mask side) {
  return std::min<int>(quorum, std::popcount(side));
}

// How many of the side have it, or somebody in their place.
int MovesRun::counted(const Write& write, Mask side) const {
  Mask counted = 0;
  int more = 0;
  for (std::uint8_t by = 0; by < nodes; ++by) {
    if (!has(write.answered, by)) continue;
    const bool stands_in = write.for_whom[by] != nobody;
    const std::uint8_t whom = stands_in ? write.for_whom[by] : by;
    if (!has(side, whom)) continue;
    if (has(counted, whom) && is(MovesMutant::counts_both_for_one)) ++more;
    counted |= bit(whom);
  }
  return std::popcount(counted) + more;
}

void MovesRun::acknowledge(std::uint8_t number) {
  Write& write = state_.write[number];
  const View& view = state_.view[write.view];
  const bool moves = view.to != 0;
  const bool old_side = !moves || !is(MovesMutant::w_of_the_new_side);
  const bool new_side = moves && !is(MovesMutant::w_of_the_old_side);
  if (old_side && counted(write, view.from) < needed(setting_.w, view.from)) return;
  if (new_side && counted(write, view.to) < needed(setting_.w, view.to)) return;
  write.acknowledged = 1;
}

// It starts over, with the same write.
bool MovesRun::renew(std::uint8_t number, std::uint8_t view) {
  Write& write = state_.write[number];
  if (write.acknowledged != 0 || view <= write.view || view > state_.views) return false;
  write.view = view;
  write.answered = 0;
  write.for_whom.fill(nobody);
  return true;
}

bool MovesRun::crash(std::uint8_t at) {
  Node& node = state_.node[at];
  node.view = node.stored;
  node.memory = node.disk;
  node.handed = 0;
  node.compared = 0;
  node.offered = 0;
  return true;
}

// Of a write at most w - 1 disks are lost before all owners have it. Some owners are always left.
bool MovesRun::die(std::uint8_t at) {
  const Mask left = placed(latest()) & static_cast<Mask>(~(state_.dead | bit(at)));
  if (!has(latest().members, at) || std::popcount(left) < replicas) return false;
  const Mask held = state_.node[at].disk | state_.node[at].hint;
  for (std::uint8_t number = 0; number < state_.writes; ++number) {
    if (has(held, number) && state_.write[number].lost + 1 > setting_.w - 1) return false;
  }
  for (std::uint8_t number = 0; number < state_.writes; ++number) {
    if (has(held, number)) ++state_.write[number].lost;
  }
  state_.dead |= bit(at);
  state_.node[at] = Node{};
  return true;
}

// Whether a node answers questions about what it holds that come from that view.
bool MovesRun::may_be_asked(std::uint8_t node, const View& by) const {
  if (!owns(node)) return false;
  const View& view = view_of(node);
  const bool same_names = view.from == by.from && view.to == by.to;
  const bool same = same_move(view, by) || (same_names && is(MovesMutant::compares_same_names));
  if (!same && !is(MovesMutant::compares_any_owners)) return false;
  const Node& self = state_.node[node];
  return view.to == 0 || self.stored == self.view || is(MovesMutant::compared_unstored);
}

// As one step: what is heard later than it is said was said by somebody who had less, and until it
// is heard nobody is ready.
bool MovesRun::compare(std::uint8_t at, std::uint8_t with) {
  if (at == with || !owns(at) || !may_be_asked(with, view_of(at))) return false;
  Node& self = state_.node[at];
  Node& peer = state_.node[with];
  const Mask both = self.memory | peer.memory;
  peer.memory = both;
  peer.disk = both;
  self.memory = both;
  if (!is(MovesMutant::ready_unsynced)) self.disk = both;
  note_ready(at, with);
  return true;
}

void MovesRun::note_ready(std::uint8_t at, std::uint8_t with) {
  Node& self = state_.node[at];
  const View& view = view_of(at);
  if (!has(view.to, at)) return;
  if (self.stored < view.since) return;
  if (has(view.from, with)) self.compared |= bit(with);
  const Mask missing = view.from & static_cast<Mask>(~(self.compared | bit(at)));
  const bool one = is(MovesMutant::ready_after_one) && self.compared != 0;
  if (missing == 0 || one) state_.ready[view.since] |= bit(at);
}

// The hint is on the disk at once.
bool MovesRun::stand_in(std::uint8_t number, std::uint8_t at, std::uint8_t owner) {
  Write& write = state_.write[number];
  if (write.acknowledged != 0 || !in_cluster(at) || owns(at)) return false;
  Node& node = state_.node[at];
  const View& view = state_.view[write.view];
  if (node.view < write.first_view || !has(placed(view_of(at)), at)) return false;
  if (!has(owners(view), owner) || has(write.answered, owner)) return false;
  if (write.for_whom[at] != nobody) return false;
  node.hint |= bit(number);
  node.owed |= bit(owner);
  node.handed = 0;
  write.strict = 0;
  if (node.view != write.view) return true;
  write.for_whom[at] = owner;
  write.answered |= bit(at);
  acknowledge(number);
  return true;
}

bool MovesRun::hand_off(std::uint8_t from, std::uint8_t to) {
  if (!in_cluster(from) || state_.node[from].hint == 0 || !owns(to)) return false;
  Node& node = state_.node[from];
  Node& receiver = state_.node[to];
  const Mask all = owners(view_of(from));
  const bool to_all =
      (node.owed & static_cast<Mask>(~all)) != 0 && !is(MovesMutant::hint_for_old_owner_only);
  if (receiver.view < node.view || !has(all, to) || has(node.handed, to)) return false;
  if (!has(node.owed, to) && !to_all) return false;
  receiver.memory |= node.hint;
  receiver.disk |= node.hint;
  node.handed |= bit(to);
  strike(from);
  return true;
}

// Whoever has his due is owed nothing any more.
void MovesRun::strike(std::uint8_t at) {
  Node& node = state_.node[at];
  const Mask all = owners(view_of(at));
  bool of_all = (all & static_cast<Mask>(~node.handed)) == 0;
  if (is(MovesMutant::hint_for_some_owner)) of_all = (all & node.handed) != 0;
  if (is(MovesMutant::hint_dies_with_its_owner)) of_all = true;
  if (is(MovesMutant::hint_for_old_owner_only)) of_all = false;
  for (std::uint8_t owner = 0; owner < nodes; ++owner) {
    const bool due = has(all, owner) ? has(node.handed, owner) : of_all;
    if (due) node.owed &= static_cast<Mask>(~bit(owner));
  }
  if (node.owed != 0) return;
  node.hint = 0;
  node.handed = 0;
}

bool MovesRun::offer(std::uint8_t from, std::uint8_t to) {
  if (!in_cluster(from) || owns(from)) return false;
  Node& node = state_.node[from];
  const View& view = view_of(from);
  if (node.memory == 0 || !has(owners(view), to) || !may_be_asked(to, view)) return false;
  state_.node[to].memory |= node.memory;
  state_.node[to].disk |= node.memory;
  node.offered |= bit(to);
  return true;
}

bool MovesRun::drop(std::uint8_t at) {
  if (!in_cluster(at) || owns(at) || state_.node[at].memory == 0) return false;
  Node& node = state_.node[at];
  const bool all = (owners(view_of(at)) & static_cast<Mask>(~node.offered)) == 0;
  const bool one = is(MovesMutant::drops_after_one) && node.offered != 0;
  if (!all && !one && !is(MovesMutant::drops_unoffered)) return false;
  node.memory = 0;
  return true;
}

bool MovesRun::begin_read(std::uint8_t view) {
  if (view == 0 || view > state_.views) return false;
  state_.read = {.view = view};
  for (std::uint8_t number = 0; number < state_.writes; ++number) {
    const Write& write = state_.write[number];
    if (write.acknowledged != 0 && write.strict != 0) state_.read.must |= bit(number);
  }
  return state_.read.must != 0;
}

bool MovesRun::answer_read(std::uint8_t by) {
  Read& read = state_.read;
  if (read.view == 0 || has(read.answered, by) || !owns(by)) return false;
  const Node& node = state_.node[by];
  if (node.view < read.view) return false;
  if (node.view != read.view && !is(MovesMutant::answers_of_any_view)) return false;
  const View& view = state_.view[read.view];
  if (!has(owners(view), by)) return false;
  read.answered |= bit(by);
  read.got |= node.memory;
  const auto reached = [&](Mask side) {
    return std::popcount(static_cast<Mask>(read.answered & side)) >= needed(setting_.r, side);
  };
  const bool old_side = reached(view.from) || (view.to != 0 && is(MovesMutant::r_of_the_new_side));
  const bool new_side = view.to == 0 || reached(view.to) || is(MovesMutant::r_of_the_old_side);
  if (!old_side || !new_side) return true;
  if ((read.must & static_cast<Mask>(~read.got)) != 0) {
    failure_ = "a read misses what had been acknowledged before it began";
  }
  read = {};
  return true;
}

}  // namespace test

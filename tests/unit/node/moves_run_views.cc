#include <algorithm>
#include <bit>

#include "unit/node/moves_run.h"

// Views: what changes of members do to the partition, as ring/next_view.h and ring/plan_moves.h
// have it, with a placement that is simply an order.
namespace test {

bool MovesRun::same_move(const View& a, const View& b) const {
  if (a.from != b.from || a.to != b.to) return false;
  return a.to == 0 || a.since == b.since || is(MovesMutant::same_names_same_move);
}

// Those of the old side that still count.
MovesRun::Mask MovesRun::side(const View& view) const {
  Mask owners = 0;
  for (std::size_t at = 0; at < replicas; ++at) {
    if (view.line[at] != nobody) owners |= bit(view.line[at]);
  }
  return owners;
}

void MovesRun::place(View& view) const {
  view.line.fill(nobody);
  std::size_t at = 0;
  for (const std::uint8_t node : setting_.order) {
    if (has(placed(view), node)) view.line[at++] = node;
  }
}

bool MovesRun::change(Mask joins, Mask leaves, Mask gone) {
  if (state_.views == views_max) return false;
  const View& before = latest();
  View next{.members = static_cast<Mask>((before.members | joins) & ~gone),
            .leaving = static_cast<Mask>((before.leaving | leaves) & ~gone),
            .line = before.line};
  const Mask left = placed(next) & static_cast<Mask>(~state_.dead);
  if (std::popcount(left) < replicas) return false;
  for (std::uint8_t& name : next.line) {
    if (name != nobody && has(gone, name)) name = nobody;
  }
  if (is(MovesMutant::stand_in_for_the_removed)) {
    std::ranges::stable_partition(next.line, [](std::uint8_t name) { return name != nobody; });
  }
  View target = next;
  place(target);
  next.from = side(next);
  next.to = side(target);
  if (next.from == 0 || next.from == next.to) {
    next = target;
    next.from = side(next);
    next.to = 0;
  }
  const std::uint8_t number = ++state_.views;
  const bool goes_on = before.to != 0 && before.from == next.from && before.to == next.to;
  next.since = next.to == 0 ? 0 : goes_on ? before.since : number;
  state_.view[number] = next;
  return true;
}

bool MovesRun::take_change(const Step& step) {
  const std::uint8_t node = step.a;
  switch (step.op) {
    case Op::join: {
      Mask joins = bit(node);
      if (step.b != 0) joins |= bit(static_cast<std::uint8_t>(step.b - 1));
      Mask ever = 0;
      for (std::uint8_t at = 1; at <= state_.views; ++at) ever |= state_.view[at].members;
      return (joins & (ever | state_.dead)) == 0 && change(joins, 0, 0);
    }
    case Op::leave:
      return has(placed(latest()), node) && alive(node) && change(0, bit(node), 0);
    case Op::remove:
      return has(latest().members, node) && !alive(node) && change(0, 0, bit(node));
    default:
      return finish();
  }
}

// Who is ready has said so to the one that counts, and what has been said may be heard at any time.
bool MovesRun::finish() {
  const View before = latest();
  if (before.to == 0 || state_.views == views_max) return false;
  Mask ready = 0;
  for (std::uint8_t at = 1; at <= state_.views; ++at) {
    if (same_move(state_.view[at], before)) ready |= state_.ready[at];
  }
  const int missing = std::popcount(static_cast<Mask>(before.to & ~ready));
  if (missing > (is(MovesMutant::ends_without_one) ? 1 : 0)) return false;
  View next = before;
  place(next);
  next.from = before.to;
  next.to = 0;
  next.since = 0;
  state_.view[++state_.views] = next;
  return true;
}

bool MovesRun::adopt(std::uint8_t node, std::uint8_t number) {
  if (number > state_.views || !alive(node)) return false;
  Node& self = state_.node[node];
  if (number <= self.view || !has(state_.view[number].members, node)) return false;
  const View& before = state_.view[self.view];
  const View& after = state_.view[number];
  // What was compared or offered among other owners says nothing any more.
  if (self.view == 0 || !same_move(before, after)) {
    self.compared = 0;
    self.offered = 0;
  }
  self.view = number;
  strike(node);
  return true;
}

}  // namespace test

#include "unit/node/moves_schedules.h"

#include <array>
#include <cstdint>
#include <initializer_list>

namespace test {

namespace {

using Op = MovesRun::Op;
using Setting = MovesRun::Setting;
using Nodes = std::initializer_list<std::uint8_t>;

constexpr std::uint8_t a = 0, b = 1, c = 2, d = 3, e = 4;
constexpr std::array<std::uint8_t, 5> by_name = {a, b, c, d, e};

MovesSteps operator+(MovesSteps first, const MovesSteps& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

MovesSteps put_in(std::uint8_t view) { return {{Op::put, view}}; }
MovesSteps join(std::uint8_t one, int other = -1) {
  return {{Op::join, one, static_cast<std::uint8_t>(other + 1)}};
}
MovesSteps hear(std::uint8_t view, Nodes nodes) {
  MovesSteps steps;
  for (const std::uint8_t node : nodes) steps.push_back({Op::adopt, node, view});
  return steps;
}
MovesSteps store(Nodes nodes) {
  MovesSteps steps;
  for (const std::uint8_t node : nodes) steps.push_back({Op::store, node});
  return steps;
}
MovesSteps hear_and_store(std::uint8_t view, Nodes nodes) {
  return hear(view, nodes) + store(nodes);
}
// These with those, but for themselves.
MovesSteps compare(Nodes these, Nodes those) {
  MovesSteps steps;
  for (const std::uint8_t one : these) {
    for (const std::uint8_t other : those) {
      if (one != other) steps.push_back({Op::compare, one, other});
    }
  }
  return steps;
}
// A write comes to these, who sync it and answer.
MovesSteps take(std::uint8_t write, Nodes nodes) {
  MovesSteps steps;
  for (const std::uint8_t node : nodes) {
    steps.push_back({Op::deliver, write, node});
    steps.push_back({Op::sync, node});
    steps.push_back({Op::answer, write, node});
  }
  return steps;
}
const MovesSteps finish = {{Op::finish}};

// From abc to dea in view 2, of which all have heard, and every new owner is ready.
const MovesSteps ready_for_dea =
    join(d, e) + hear_and_store(2, {a, b, c, d, e}) + compare({d, e, a}, {a, b, c});
// The same from abc to dab.
const MovesSteps ready_for_dab =
    join(d) + hear_and_store(2, {a, b, c, d}) + compare({d, a, b}, {a, b, c});
// Only e has the write, kept for c, who is removed.
const MovesSteps kept_for_the_removed =
    put_in(1) + MovesSteps{{Op::stand_in, 0, e, c}, {Op::die, c}} + MovesSteps{{Op::remove, c}};

std::vector<MovesSchedule> of_quorums() {
  return {
      {MovesMutant::answers_unsynced,
       "all who answered crash",
       {},
       put_in(1) + MovesSteps{{Op::deliver, 0, a},
                              {Op::answer, 0, a},
                              {Op::deliver, 0, b},
                              {Op::answer, 0, b},
                              {Op::crash, a},
                              {Op::crash, b}}},
      {MovesMutant::w_of_the_old_side,
       "the move ends, and the new side has not got the write",
       {},
       ready_for_dea + put_in(2) + take(0, {b, c}) + finish},
      {MovesMutant::w_of_the_new_side,
       "somebody who has not heard of the move reads the old side",
       {},
       join(d, e) + hear(2, {d, e}) + put_in(2) + take(0, {d, e})},
      {MovesMutant::r_of_the_old_side,
       "the move has ended, and the reader has not heard of that",
       {},
       ready_for_dea + finish + hear(3, {d, e}) + put_in(3) + take(0, {d, e})},
      {MovesMutant::r_of_the_new_side,
       "which has nothing yet",
       {},
       put_in(1) + take(0, {b, c}) + join(d, e)},
      {MovesMutant::answers_of_any_view,
       "a write that began before the move is acknowledged after all have been compared",
       {},
       put_in(1) + ready_for_dea + take(0, {b, c}) + finish},
      {MovesMutant::stand_in_for_the_removed,
       "it answers reads at once, though it has nothing of what it owns now",
       {.members = 4, .order = by_name},
       put_in(1) + take(0, {a, b}) + MovesSteps{{Op::die, a}, {Op::remove, a}}},
  };
}

std::vector<MovesSchedule> of_moves() {
  return {
      {MovesMutant::compared_unstored,
       "it crashes, is in the view before, and takes a write on the old side alone",
       {.w = 1, .r = 3},
       put_in(1) + join(d) + hear(2, {a, b, c, d}) + store({a, b, d}) +
           compare({d, a, b}, {a, b, c}) + MovesSteps{{Op::crash, c}} + take(0, {c}) + finish},
      {MovesMutant::compares_any_owners,
       "one who has not heard of the move takes such a write",
       {.w = 1, .r = 3},
       put_in(1) + join(d) + hear_and_store(2, {a, b, d}) + compare({d, a, b}, {a, b, c}) +
           take(0, {c}) + finish},
      {MovesMutant::ready_after_one,
       "the one that it was compared with lacks the write",
       {},
       put_in(1) + take(0, {b, c}) + join(d, e) + hear_and_store(2, {a, b, c, d, e}) +
           compare({d, e}, {a}) + compare({a}, {b}) + finish},
      {MovesMutant::ready_unsynced,
       "the new owners crash",
       {},
       put_in(1) + take(0, {b, c}) + ready_for_dea + finish +
           MovesSteps{{Op::crash, d}, {Op::crash, e}}},
      {MovesMutant::ends_without_one,
       "and that one is read",
       {.w = 3, .r = 1},
       put_in(1) + take(0, {a, b, c}) + join(d) + hear_and_store(2, {a, b, c, d}) +
           compare({a, b}, {a, b, c}) + finish},
      {MovesMutant::compares_same_names,
       "d compares with owners who are still in an earlier move to abd, and have not taken yet "
       "what is "
       "written while it is one to eab",
       {.w = 3, .r = 1, .order = {e, a, b, d, c}},
       join(d) + hear_and_store(2, {a, b, c, d}) + join(e) + MovesSteps{{Op::leave, e}} +
           hear_and_store(4, {d}) + compare({d}, {a, b, c}) + hear(3, {a, b, c, e}) + put_in(3) +
           take(0, {a, b, c, e}) + hear_and_store(4, {a, b, c}) + compare({a, b}, {a, b, c}) +
           finish},
      {MovesMutant::same_names_same_move,
       "all were ready for abc to dab; then it was abc to dea for a while, with a write; then "
       "again "
       "abc to dab",
       {},
       ready_for_dab + join(e) + hear(3, {a, c, e}) + put_in(3) + take(0, {a, c, e}) +
           MovesSteps{{Op::leave, e}} + finish},
  };
}

std::vector<MovesSchedule> of_copies() {
  const Setting newcomer_first = {.w = 1, .r = 3, .members = 4, .order = {e, a, b, c, d}};
  const MovesSteps kept_by_d = put_in(1) + MovesSteps{{Op::stand_in, 0, d, c}} + join(e) +
                               hear_and_store(2, {a, b, c, e}) + compare({e, a, b}, {a, b, c}) +
                               MovesSteps{{Op::hand_off, d, c}} + finish;
  // Owners bcd; b is removed, a takes its place and has the write; then e takes that of a.
  const Setting a_then_e = {.w = 3, .r = 1, .members = 4, .order = {b, e, c, d, a}};
  const MovesSteps taken_by_a = put_in(1) + MovesSteps{{Op::die, b}, {Op::remove, b}} +
                                hear_and_store(2, {a, c, d}) + MovesSteps{{Op::renew, 0, 2}} +
                                take(0, {a, c, d}) + join(e) + hear_and_store(3, {a, c, d});
  return {
      {MovesMutant::drops_unoffered, "the hint came to it after it had been compared with",
       newcomer_first, kept_by_d + hear(3, {c}) + MovesSteps{{Op::drop, c}, {Op::sync, c}}},
      {MovesMutant::drops_after_one, "the one had it already, and one copy less is left", a_then_e,
       taken_by_a + MovesSteps{{Op::offer, a, c}, {Op::drop, a}, {Op::sync, a}}},
      {MovesMutant::hint_dies_with_its_owner,
       "and it is all that there is of the write",
       {.w = 1, .r = 3, .members = 5, .order = by_name},
       kept_for_the_removed + hear(2, {e})},
      {MovesMutant::hint_for_old_owner_only,
       "who never comes back",
       {.w = 1, .r = 3, .members = 5, .order = by_name},
       kept_for_the_removed},
      {MovesMutant::hint_for_some_owner,
       "that one had it already, and one copy less is left",
       {.w = 3, .r = 1, .members = 5, .order = by_name},
       put_in(1) + take(0, {a, b}) + MovesSteps{{Op::stand_in, 0, e, c}, {Op::die, c}} +
           MovesSteps{{Op::remove, c}} + hear(2, {a, e}) + MovesSteps{{Op::hand_off, e, a}}},
      {MovesMutant::counts_both_for_one,
       "the hint is handed to whom it counted with",
       {.w = 3, .r = 1, .members = 4, .order = by_name},
       put_in(1) + take(0, {a}) + MovesSteps{{Op::stand_in, 0, d, b}} + take(0, {b}) +
           MovesSteps{{Op::hand_off, d, b}}},
  };
}

}  // namespace

const std::vector<MovesSchedule>& moves_schedules() {
  static const std::vector<MovesSchedule> all = [] {
    std::vector<MovesSchedule> schedules = of_quorums();
    for (const auto& more : {of_moves(), of_copies()}) {
      schedules.insert(schedules.end(), more.begin(), more.end());
    }
    return schedules;
  }();
  return all;
}

std::string replay(const MovesSteps& steps, const MovesRun::Setting& setting, MovesMutant mutant) {
  MovesRun run(setting, mutant);
  for (const MovesRun::Step& step : steps) {
    run.apply(step);
    if (run.failed()) return run.failure();
  }
  run.come_to_rest();
  return run.failure();
}

std::string text(const MovesSteps& steps, const MovesRun::Setting& setting, MovesMutant mutant) {
  MovesRun run(setting, mutant);
  std::string text;
  for (const MovesRun::Step& step : steps) {
    if (run.apply(step)) text += MovesRun::text(step) + "\n";
  }
  return text + run.describe();
}

}  // namespace test

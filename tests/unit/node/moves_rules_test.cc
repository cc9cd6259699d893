// The rules by which a partition moves, one by one: what happens without each of them, and all that
// can happen within a few steps of every stage of it.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <unordered_set>

#include "base/hash.h"
#include "catch.hpp"
#include "unit/node/moves_schedules.h"

namespace {

using test::MovesMutant;
using test::MovesRun;
using test::MovesSchedule;
using test::MovesSteps;
using Op = MovesRun::Op;

// Every kind of step, with every node, and with the views and writes that there are.
MovesSteps all_steps(const MovesRun& run) {
  MovesSteps all;
  const auto add = [&](Op op, std::uint8_t as, std::uint8_t first_b, std::uint8_t end_b) {
    for (std::uint8_t a = 0; a < as; ++a) {
      for (std::uint8_t b = first_b; b < end_b; ++b) all.push_back({op, a, b});
    }
  };
  const auto after_last = static_cast<std::uint8_t>(run.views() + 1);
  constexpr std::uint8_t nodes = MovesRun::nodes;
  for (const Op op : {Op::sync, Op::store, Op::crash, Op::die, Op::join, Op::leave, Op::remove,
                      Op::drop, Op::answer_read}) {
    add(op, nodes, 0, 1);
  }
  for (const Op op : {Op::compare, Op::hand_off, Op::offer}) add(op, nodes, 0, nodes);
  for (const Op op : {Op::deliver, Op::answer}) add(op, run.writes(), 0, nodes);
  add(Op::adopt, nodes, 1, after_last);
  add(Op::renew, run.writes(), 1, after_last);
  add(Op::put, after_last, 0, 1);
  add(Op::read, after_last, 0, 1);
  add(Op::finish, 1, 0, 1);
  for (std::uint8_t write = 0; write < run.writes(); ++write) {
    for (std::uint8_t at = 0; at < nodes; ++at) {
      for (std::uint8_t owner = 0; owner < nodes; ++owner) {
        all.push_back({Op::stand_in, write, at, owner});
      }
    }
  }
  return all;
}

// The states that some schedule of `depth` steps leads to. Equal ones are looked at once.
struct Search {
  void from(const MovesRun& run, int depth) {
    if (!failure.empty()) return;
    if (depth == 0) return come_to_rest(run);
    for (const MovesRun::Step& step : all_steps(run)) {
      MovesRun next = run;
      if (!next.apply(step)) continue;
      path.push_back(step);
      if (next.failed()) failure = next.failure() + " after\n" + text();
      const std::uint64_t key =
          dynamo::core::hash64(next.fingerprint(), static_cast<std::uint64_t>(depth));
      if (failure.empty() && seen.insert(key).second) from(next, depth - 1);
      path.pop_back();
    }
  }
  void come_to_rest(MovesRun run) {
    run.come_to_rest();
    if (run.failed()) failure = run.failure() + " at rest after\n" + text();
  }
  std::string text() const { return test::text(path, setting, MovesMutant::none); }

  MovesRun::Setting setting{};
  MovesSteps path{};
  std::unordered_set<std::uint64_t> seen{};
  std::string failure{};
};

}  // namespace

TEST_CASE("moves: each rule is needed") {
  CHECK(test::moves_schedules().size() == static_cast<std::size_t>(MovesMutant::count) - 1);
  for (const MovesSchedule& schedule : test::moves_schedules()) {
    INFO(schedule.story << "\n" << test::text(schedule.steps, schedule.setting, schedule.mutant));
    CHECK_FALSE(test::replay(schedule.steps, schedule.setting, schedule.mutant).empty());
    CHECK(test::replay(schedule.steps, schedule.setting, MovesMutant::none).empty());
  }
}

TEST_CASE("moves: whatever happens next, at every stage") {
  const char* given = std::getenv("DYNAMO_DEPTH");
  const int depth = given == nullptr ? 2 : std::atoi(given);
  std::size_t states = 0;
  for (const MovesSchedule& schedule : test::moves_schedules()) {
    MovesRun run(schedule.setting);
    Search search{.setting = schedule.setting};
    for (const MovesRun::Step& step : schedule.steps) {
      search.from(run, depth);
      INFO(schedule.story << ": " << search.failure);
      REQUIRE(search.failure.empty());
      run.apply(step);
      search.path.push_back(step);
    }
    search.from(run, depth);
    INFO(schedule.story << ": " << search.failure);
    REQUIRE(search.failure.empty());
    states += search.seen.size();
  }
  INFO(states);
  CHECK(states > 10000);
}

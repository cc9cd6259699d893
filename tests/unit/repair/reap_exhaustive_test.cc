// All that can happen to one key on three owners and a stand-in (reap_run.h) from the start, up to
// some number of moves. DYNAMO_DEPTH asks for another number than the usual one.

#include <array>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "catch.hpp"
#include "unit/causality/exhaustive.h"
#include "unit/repair/reap_run.h"

namespace {

using test::ReapMutant;
using test::ReapRun;
using Op = ReapRun::Op;
using Steps = std::vector<ReapRun::Step>;
using Moves = std::vector<Steps>;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int usual_depth = 3;  // they take ten times as long
#else
constexpr int usual_depth = 4;
#endif

constexpr std::uint8_t stand_in = ReapRun::nodes - 1;

std::uint8_t small(std::uint64_t n) { return static_cast<std::uint8_t>(n); }

// Of owners to which nothing has happened only the first: the others are like it.
std::vector<std::uint8_t> owners(const ReapRun& run) {
  std::vector<std::uint8_t> result;
  bool untouched = false;
  for (std::uint8_t at = 0; at < ReapRun::owners; ++at) {
    if (untouched && !run.touched(at)) continue;
    result.push_back(at);
    untouched = untouched || !run.touched(at);
  }
  return result;
}

// What clients and messages do: every context that somebody holds, every frame ever sent.
Moves traffic(const ReapRun& run, const std::vector<std::uint8_t>& owners) {
  Moves moves;
  for (const std::uint8_t context : run.distinct_contexts()) {
    for (const std::uint8_t at : owners) {
      for (const Op op : {Op::put, Op::erase, Op::failed_put}) moves.push_back({{op, at, context}});
    }
    moves.push_back({{Op::put_at_stand_in, stand_in, context}});
  }
  for (const std::uint8_t frame : run.distinct_frames()) {
    for (const std::uint8_t at : owners) moves.push_back({{Op::deliver, at, frame}});
    moves.push_back({{Op::keep_hint, stand_in, frame}});
  }
  for (const std::uint8_t at : owners) {
    moves.push_back({{Op::replicate, at}});
    moves.push_back({{Op::hand_off, at}});
  }
  return moves;
}

// Every step by itself.
struct AllSteps {
  Moves operator()(const ReapRun& run) const {
    const std::vector<std::uint8_t> some = owners(run);
    std::vector<std::uint8_t> nodes = some;
    nodes.push_back(stand_in);
    Moves moves = traffic(run, some);
    std::uint8_t there = 0;
    for (const std::uint8_t at : nodes) there = small(there | 1U << at);
    for (std::uint8_t mask = 1; mask < 16; ++mask) {
      if ((mask & ~there) == 0) moves.push_back({{Op::get, 0, mask}});
    }
    for (const std::uint8_t at : nodes) {
      for (const Op op : {Op::sync, Op::crash, Op::wipe, Op::scan, Op::raise, Op::settle, Op::drop,
                          Op::hear_drop}) {
        moves.push_back({{op, at}});
      }
      moves.push_back({{Op::hear_seal, at, ReapRun::nodes}});
      for (const std::uint8_t other : nodes) {
        moves.push_back({{Op::contact, at, other}});
        moves.push_back({{Op::exchange, at, other}});
      }
    }
    moves.push_back({{Op::begin, 0, 1}});
    moves.push_back({{Op::seal}});
    return moves;
  }
};

Steps operator+(Steps first, const Steps& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Steps on_all(Op op, std::uint8_t b = 0) {
  return {{op, 0, b}, {op, 1, b}, {op, 2, b}, {op, stand_in, b}};
}

// One owner finds the deletes at the others; it moves all to another generation; it drops, and the
// others hear of it.
Steps confirm(std::uint8_t at) {
  return {{Op::scan, at},
          {Op::exchange, at, small((at + 1U) % ReapRun::owners)},
          {Op::exchange, at, small((at + 2U) % ReapRun::owners)}};
}
Steps barrier() {
  return Steps{{Op::begin, 0, 1}} + on_all(Op::raise) + on_all(Op::settle) + Steps{{Op::seal}} +
         on_all(Op::hear_seal, ReapRun::nodes);
}
Steps drop(std::uint8_t at) { return Steps{{Op::drop, at}} + on_all(Op::hear_drop); }

// Rounds of the protocol as single moves, so that a few moves reach its end and go on from there.
struct WholeRounds {
  Moves operator()(const ReapRun& run) const {
    const std::vector<std::uint8_t> some = owners(run);
    Moves moves = traffic(run, some);
    // A write that is on the disk at once, as most are.
    const std::size_t written = moves.size();
    for (std::size_t i = 0; i < written; ++i) {
      const ReapRun::Step step = moves[i].front();
      const bool writes = step.op == Op::put || step.op == Op::erase || step.op == Op::deliver;
      if (writes) moves.push_back({step, {Op::sync, step.a}});
    }
    moves.push_back({{Op::get, 0, 15}});
    for (const std::uint8_t at : some) {
      moves.push_back({{Op::get, 0, small(1U << at)}});
      moves.push_back({{Op::sync, at}});
      moves.push_back({{Op::crash, at}});
      moves.push_back(Steps{{Op::wipe, at}} + meet(at));
      moves.push_back(confirm(at));
      moves.push_back(drop(at));
      moves.push_back(confirm(at) + barrier() + barrier() + drop(at));
    }
    moves.push_back({{Op::crash, stand_in}});
    moves.push_back(barrier());
    moves.push_back({{Op::begin, 0, 1}});
    moves.push_back(barrier() + barrier());
    return moves;
  }
  static Steps meet(std::uint8_t at) {
    Steps steps;
    for (std::uint8_t other = 0; other < ReapRun::nodes; ++other) {
      steps.push_back({Op::contact, at, other});
    }
    return steps;
  }
};

template <class MovesOf>
void check_all(std::size_t leader, const char* what) {
  const int depth = test::wanted_depth(usual_depth);
  test::Exhaustive<ReapRun, MovesOf> all(MovesOf{});
  const std::uint64_t sequences = all.from(ReapRun(ReapMutant::none, leader), depth);
  INFO(all.failure());
  REQUIRE(all.failure().empty());
  fmt::print("{}, {} seals: {} sequences of up to {}, {} states, {} moves checked\n", what,
             leader == stand_in ? "the stand-in" : "an owner", sequences, depth, all.states(),
             all.applied());
}

}  // namespace

TEST_CASE("reaping: whatever happens first") {
  check_all<AllSteps>(GENERATE(std::size_t{0}, std::size_t{stand_in}), "single steps");
}

TEST_CASE("reaping: whatever happens between whole rounds") {
  check_all<WholeRounds>(GENERATE(std::size_t{0}, std::size_t{stand_in}), "whole rounds");
}

// What is found within a few moves; the others need more, and have a schedule of their own in
// reap_rules_test.cc.
TEST_CASE("reaping: rules that are needed in some short life") {
  struct Known {
    ReapMutant mutant;
    int depth;  // in which a failure is found, and in no smaller one
    std::size_t leader = 0;
  };
  constexpr std::array found = {Known{ReapMutant::never_refuses, 4},
                                Known{ReapMutant::stand_in_never_refuses, 3},
                                Known{ReapMutant::seals_over_old_hints, 2},
                                Known{ReapMutant::answers_from_memory, 4},
                                Known{ReapMutant::drops_unsynced, 4},
                                Known{ReapMutant::drops_without_barrier, 3},
                                Known{ReapMutant::drops_after_one_barrier, 4, stand_in},
                                Known{ReapMutant::drops_what_has_changed, 4}};
  for (const Known& known : found) {
    for (const int depth : {known.depth - 1, known.depth}) {
      if (depth > usual_depth) continue;
      test::Exhaustive<ReapRun, WholeRounds> all(WholeRounds{});
      all.from(ReapRun(known.mutant, known.leader), depth);
      INFO("rule " << static_cast<int>(known.mutant) << ", " << depth << ": " << all.failure());
      CHECK(all.failure().empty() == (depth < known.depth));
    }
  }
}

// Every life of one key on three replicas (replica_run.h) up to some number of steps. DYNAMO_DEPTH
// asks for another number than the usual one.

#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "catch.hpp"
#include "unit/causality/exhaustive.h"
#include "unit/causality/replica_run.h"

namespace {

using dynamo::core::Conflict;
using test::NamingMutant;
using test::ReplicaRun;
using Op = ReplicaRun::Op;
using Moves = std::vector<std::vector<ReplicaRun::Step>>;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int usual_depth = 4;  // they take ten times as long
#else
constexpr int usual_depth = 5;
#endif

std::uint8_t small(std::uint64_t n) { return static_cast<std::uint8_t>(n); }

// What can happen at a replica, with every context, source and copy, and whether it syncs. Clocks
// tie, unless one write has seen the other; under last-write-wins they may also disagree.
void add_moves(const ReplicaRun& run, std::uint8_t at, Conflict conflict, Moves& moves) {
  const std::uint8_t clocks = conflict == Conflict::last_write_wins ? 2 : 1;
  for (std::uint8_t context = 0; context < run.contexts(); ++context) {
    for (std::uint8_t clock = 0; clock < clocks; ++clock) {
      ReplicaRun::Step put = {
          .op = Op::put, .at = at, .other = context, .clock = small(1 + 4 * clock)};
      moves.push_back({put});
      put.synced = true;
      moves.push_back({put});
      put.op = Op::failed_put;
      moves.push_back({put});
    }
  }
  for (const bool synced : {false, true}) {
    for (std::uint8_t from = 0; from < ReplicaRun::replicas_count; ++from) {
      if (from == at || run.blank(from)) continue;
      moves.push_back({{.op = Op::replicate, .at = at, .other = from, .synced = synced}});
    }
    for (std::uint8_t copy = 0; copy < run.copies(); ++copy) {
      moves.push_back({{.op = Op::replay, .at = at, .other = copy, .synced = synced}});
    }
  }
  if (run.blank(at)) return;  // it has nothing to sync, forget or lose
  for (const Op op : {Op::sync, Op::forget, Op::crash, Op::restart}) {
    moves.push_back({{.op = op, .at = at}});
  }
}

// Of replicas to which nothing has happened only the first: the others are like it.
struct AllMoves {
  Moves operator()(const ReplicaRun& run) const {
    Moves moves;
    std::uint8_t holders = 0;
    bool blank_seen = false;
    for (std::uint8_t at = 0; at < ReplicaRun::replicas_count; ++at) {
      const bool blank = run.blank(at);
      if (!blank) holders = small(holders | 1U << at);
      if (!blank || !blank_seen) add_moves(run, at, conflict, moves);
      blank_seen = blank_seen || blank;
    }
    for (std::uint8_t mask = 1; mask < 8; ++mask) {
      if ((mask & ~holders) == 0) moves.push_back({{.op = Op::get, .other = mask}});
    }
    return moves;
  }
  Conflict conflict;
};

}  // namespace

TEST_CASE("every short life of a key keeps every version") {
  const Conflict conflict = GENERATE(Conflict::keep_siblings, Conflict::last_write_wins);
  // Clocks that disagree are more to try.
  const bool siblings = conflict == Conflict::keep_siblings;
  const int depth = test::wanted_depth(siblings ? usual_depth : usual_depth - 1);
  test::Exhaustive<ReplicaRun, AllMoves> all(AllMoves{conflict});
  const std::uint64_t sequences = all.from(ReplicaRun(conflict), depth);
  INFO(all.failure());
  REQUIRE(all.failure().empty());
  fmt::print("{}: {} sequences of up to {} steps: {} states, {} steps checked\n",
             siblings ? "siblings" : "last write wins", sequences, depth, all.states(),
             all.applied());
}

TEST_CASE("every rule of naming is needed in some short life") {
  struct Known {
    NamingMutant mutant;
    int depth;  // in which a failure is found, and in no smaller one
  };
  const auto [mutant, depth] = GENERATE(Known{NamingMutant::keeps_name_after_forgetting, 3},
                                        Known{NamingMutant::keeps_name_after_crash, 4},
                                        Known{NamingMutant::keeps_name_after_failed_write, 3},
                                        Known{NamingMutant::claims_what_the_coordinator_saw, 3});
  CAPTURE(static_cast<int>(mutant));
  for (int at_most = 1; at_most <= depth; ++at_most) {
    test::Exhaustive<ReplicaRun, AllMoves> all(AllMoves{Conflict::keep_siblings});
    all.from(ReplicaRun(Conflict::keep_siblings, mutant), at_most);
    INFO(at_most << " steps: " << all.failure());
    CHECK(all.failure().empty() == (at_most < depth));
  }
}

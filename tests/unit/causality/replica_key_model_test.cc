// Random lives of one key on three replicas (replica_run.h). A failure prints its seed and the
// fewest steps that show it; DYNAMO_SEED replays it alone.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "unit/causality/replica_run.h"
#include "unit/causality/seeds.h"
#include "unit/causality/shrink.h"

namespace {

using dynamo::core::Conflict;
using dynamo::core::Prng;
using test::NamingMutant;
using test::ReplicaRun;
using Op = ReplicaRun::Op;
using Steps = std::vector<ReplicaRun::Step>;

constexpr auto ops_count = static_cast<std::size_t>(Op::count);

std::uint8_t small(std::uint64_t n) { return static_cast<std::uint8_t>(n); }

// Each run has its own, so that some hardly ever sync and some hardly ever talk.
struct Mixture {
  explicit Mixture(Prng& prng) {
    const auto weigh = [&](Op op, std::uint64_t weight) {
      weights[static_cast<std::size_t>(op)] = weight;
      sum += weight;
    };
    weigh(Op::put, 10 + prng.below(30));
    weigh(Op::get, 5 + prng.below(20));
    weigh(Op::replicate, 5 + prng.below(30));
    weigh(Op::replay, prng.below(15));
    weigh(Op::sync, prng.below(15));
    weigh(Op::forget, prng.below(6));
    weigh(Op::crash, prng.below(8));
    weigh(Op::restart, prng.below(4));
    weigh(Op::failed_put, prng.below(6));
  }
  Op draw(Prng& prng) const {
    std::uint64_t draw = prng.below(sum);
    for (std::size_t op = 0;; ++op) {
      if (draw < weights[op]) return static_cast<Op>(op);
      draw -= weights[op];
    }
  }
  std::array<std::uint64_t, ops_count> weights{};
  std::uint64_t sum = 0;
};

ReplicaRun::Step draw_step(Prng& prng, const Mixture& mixture, const ReplicaRun& run) {
  ReplicaRun::Step step = {.op = mixture.draw(prng),
                           .at = small(prng.below(ReplicaRun::replicas_count)),
                           .synced = prng.chance(0.5)};
  switch (step.op) {
    case Op::put:
    case Op::failed_put:
      // None, any that a client ever held, or the newest.
      step.other = small(prng.chance(0.25)   ? 0
                         : prng.chance(0.33) ? prng.below(run.contexts())
                                             : run.contexts() - 1);
      step.object = prng.chance(0.8);
      step.clock = small(1 + prng.below(40));
      step.writer = small(1 + prng.below(4));
      step.written_at = static_cast<std::uint16_t>(prng.below(1000));
      if (prng.chance(0.1)) step.expires_at = small(1 + prng.below(100));
      break;
    case Op::get:
      step.other = small(prng.below(8));
      break;
    case Op::replay:
      step.other = small(run.copies() == 0 ? 0 : prng.below(run.copies()));
      break;
    default:
      step.other = small(prng.below(ReplicaRun::replicas_count));
      break;
  }
  return step;
}

struct Result {
  std::string failure{};
  Steps steps{};
  ReplicaRun::Tally tally{};
};

Result random_run(std::uint64_t seed, Conflict conflict, NamingMutant mutant) {
  Prng prng(seed);
  const Mixture mixture(prng);
  ReplicaRun run(conflict, mutant);
  Result result;
  const std::uint64_t steps = 5 + prng.below(ReplicaRun::steps_max - 4);
  for (std::uint64_t i = 0; i < steps && run.failure().empty(); ++i) {
    const ReplicaRun::Step step = draw_step(prng, mixture, run);
    if (run.apply(step)) result.steps.push_back(step);
  }
  result.failure = run.failure();
  result.tally = run.tally();
  return result;
}

// The run after these steps, or after the one that broke something.
ReplicaRun replayed(const Steps& steps, Conflict conflict, NamingMutant mutant) {
  ReplicaRun run(conflict, mutant);
  for (const ReplicaRun::Step& step : steps) run.apply(step);
  return run;
}

// The fewest steps that fail in the same way.
Steps fewest(const Result& result, Conflict conflict, NamingMutant mutant) {
  return test::shrunk(result.steps, [&](const Steps& steps) {
    return replayed(steps, conflict, mutant).failure().substr(0, 2) == result.failure.substr(0, 2);
  });
}

std::string story(const Steps& steps, Conflict conflict) {
  std::string text;
  for (const ReplicaRun::Step& step : steps) text += ReplicaRun::text(step) + "\n";
  return text + replayed(steps, conflict, NamingMutant::none).text();
}

void run_all(std::uint64_t count, Conflict conflict, ReplicaRun::Tally& tally) {
  for (const std::uint64_t seed : test::seeds(count)) {
    const Result result = random_run(seed, conflict, NamingMutant::none);
    tally.add(result.tally);
    if (!result.failure.empty()) {
      FAIL("DYNAMO_SEED=" << seed << ": " << result.failure << "\nafter\n"
                          << story(fewest(result, conflict, NamingMutant::none), conflict));
    }
  }
}

}  // namespace

TEST_CASE("no run loses, invents or resurrects a version") {
  ReplicaRun::Tally tally;
  run_all(5000, Conflict::keep_siblings, tally);
  if (test::seeds(2).size() < 2) return;  // one seed need not show everything
  CHECK(tally.puts > 10000);
  CHECK(tally.siblings > 1000);
  CHECK(tally.gaps > 1000);
  CHECK(tally.replays > 1000);
  CHECK(tally.forgotten > 1000);
  CHECK(tally.lost_by_crash > 1000);
  CHECK(tally.failed_writes > 1000);
}

TEST_CASE("under last-write-wins no run drops the latest write") {
  ReplicaRun::Tally tally;
  run_all(2500, Conflict::last_write_wins, tally);
  CHECK(tally.siblings == 0);
}

// The checks have teeth: each rule, left out, is found, and what is shown is short.
TEST_CASE("a rule of naming that is left out is caught") {
  const auto [mutant, code] = GENERATE(
      table<NamingMutant, std::string>({{NamingMutant::keeps_name_after_forgetting, "C5"},
                                        {NamingMutant::keeps_name_after_crash, "C5"},
                                        {NamingMutant::keeps_name_after_failed_write, "C5"},
                                        {NamingMutant::claims_what_the_coordinator_saw, "C2"}}));
  CAPTURE(static_cast<int>(mutant));
  bool found = false;
  for (std::uint64_t seed = 1; seed <= 200 && !found; ++seed) {
    const Result result = random_run(seed, Conflict::keep_siblings, mutant);
    found = result.failure.starts_with(code);
    if (found) CHECK(fewest(result, Conflict::keep_siblings, mutant).size() <= 6);
  }
  CHECK(found);
}

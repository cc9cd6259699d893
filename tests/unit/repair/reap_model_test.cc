// The protocol that drops deletes (repair/generation.h), model-checked by random runs. A failure
// prints its seed and the fewest steps that show it; DYNAMO_SEED replays it alone, DYNAMO_RUNS asks
// for more of them.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "unit/causality/seeds.h"
#include "unit/causality/shrink.h"
#include "unit/repair/reap_run.h"

namespace {

using dynamo::core::Prng;
using test::ReapMutant;
using test::ReapRun;
using Op = ReapRun::Op;
using Steps = std::vector<ReapRun::Step>;

constexpr auto ops_count = static_cast<std::size_t>(Op::count);

std::uint8_t small(std::uint64_t n) { return static_cast<std::uint8_t>(n); }

// Each run has its own mixture of what happens, so that some hardly ever sync, some hardly ever
// lose a disk, and in some the protocol runs smoothly.
struct Mixture {
  explicit Mixture(Prng& prng) {
    for (std::size_t op = 0; op < ops_count; ++op) weights[op] = 1 + prng.below(12);
    weights[static_cast<std::size_t>(Op::wipe)] = prng.below(3);
    weights[static_cast<std::size_t>(Op::crash)] = prng.below(6);
    diligence = 0.1 * static_cast<double>(prng.below(10));
    weights[static_cast<std::size_t>(Op::put)] = prng.below(8);
    weights[static_cast<std::size_t>(Op::erase)] = 4 + prng.below(20);
    for (const std::uint64_t weight : weights) sum += weight;
  }
  Op draw(Prng& prng) const {
    std::uint64_t draw = prng.below(sum);
    for (std::size_t op = 0;; ++op) {
      if (draw < weights[op]) return static_cast<Op>(op);
      draw -= weights[op];
    }
  }
  // How often the nodes do what they would do by themselves.
  double diligence = 0;
  std::array<std::uint64_t, ops_count> weights{};
  std::uint64_t sum = 0;
};

ReapRun::Step draw_step(Prng& prng, const Mixture& mixture, const ReapRun& run, bool quiet) {
  constexpr std::array protocol = {Op::contact, Op::scan,      Op::exchange, Op::begin,
                                   Op::raise,   Op::settle,    Op::seal,     Op::hear_seal,
                                   Op::drop,    Op::hear_drop, Op::hand_off};
  const bool diligent = prng.chance(quiet ? 0.99 : mixture.diligence);
  ReapRun::Step step{.op = diligent ? protocol[prng.below(protocol.size())] : mixture.draw(prng)};
  step.a = small(prng.below(ReapRun::owners));
  step.b = small(prng.below(ReapRun::nodes));
  switch (step.op) {
    case Op::put:
    case Op::erase:
    case Op::failed_put:
    case Op::put_at_stand_in:
      // Nothing, the newest, or any context that a client ever held.
      step.b = small(prng.chance(0.25)  ? 0
                     : prng.chance(0.6) ? run.contexts() - 1
                                        : prng.below(run.contexts()));
      break;
    case Op::deliver:
    case Op::keep_hint:
    case Op::hear_drop:
      step.b = small(prng.below(std::max<std::size_t>(run.frames(), 1)));
      break;
    case Op::get:
      step.b = small(1 + prng.below(15));
      break;
    case Op::exchange:
      step.b = small(prng.below(ReapRun::owners));
      break;
    case Op::hear_seal:
      step.a = small(prng.below(ReapRun::nodes));
      step.b = small(prng.below(ReapRun::nodes + 1));
      break;
    case Op::begin:
      step.b = diligent ? 0 : 1;
      break;
    case Op::sync:
    case Op::crash:
    case Op::wipe:
    case Op::contact:
    case Op::raise:
    case Op::settle:
      step.a = small(prng.below(ReapRun::nodes));
      break;
    default:
      break;
  }
  return step;
}

struct Result {
  std::size_t leader = 0;
  std::string failure{};
  Steps steps{};
  ReapRun::Tally tally{};
};

Result random_run(std::uint64_t seed, ReapMutant mutant) {
  Prng prng(seed);
  const Mixture mixture(prng);
  Result result{.leader = prng.chance(0.5) ? 0 : ReapRun::nodes - 1};
  ReapRun run(mutant, result.leader);
  const std::uint64_t wanted = 40 + prng.below(260);
  const auto take = [&](const ReapRun::Step& step) {
    if (!run.failure().empty() || !run.apply(step)) return false;
    result.steps.push_back(step);
    return true;
  };
  bool quiet = false;
  const double quiet_ends = prng.chance(0.3) ? 0.1 : 0.01;
  const double loss = prng.chance(0.5) ? 0.02 : 0;
  for (std::uint64_t left = wanted; left > 0 && run.failure().empty(); --left) {
    if (prng.chance(quiet ? quiet_ends : 0.15)) {
      quiet = !quiet;
      if (quiet) {  // after somebody has deleted whatever there is
        take({.op = Op::get, .b = 15});
        take({.op = Op::erase,
              .a = small(prng.below(ReapRun::owners)),
              .b = small(run.contexts() - 1)});
      }
    }
    for (int tries = 0; tries < 100; ++tries) {
      if (take(draw_step(prng, mixture, run, quiet))) break;
    }
    if (prng.chance(loss)) take({.op = Op::wipe, .a = small(prng.below(ReapRun::nodes))});
  }
  result.failure = run.failure();
  result.tally = run.tally();
  return result;
}

std::string replay(const Steps& steps, ReapMutant mutant, std::size_t leader) {
  ReapRun run(mutant, leader);
  for (const ReapRun::Step& step : steps) {
    run.apply(step);
    if (!run.failure().empty()) return run.failure();
  }
  return {};
}

Steps fewest(const Result& result, ReapMutant mutant) {
  return test::shrunk(result.steps, [&](const Steps& steps) {
    return !replay(steps, mutant, result.leader).empty();
  });
}

std::string text(const Steps& steps) {
  std::string text;
  for (const ReapRun::Step& step : steps) text += ReapRun::text(step) + "\n";
  return text;
}

std::uint64_t wanted_runs(std::uint64_t count) {
  const char* given = std::getenv("DYNAMO_RUNS");
  return given == nullptr ? count : std::strtoull(given, nullptr, 10);
}

}  // namespace

TEST_CASE("reaping: no run loses a write or brings back what was deleted") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const std::uint64_t runs = wanted_runs(1000);  // they take ten times as long
#else
  const std::uint64_t runs = wanted_runs(5000);
#endif
  ReapRun::Tally sum;
  for (const std::uint64_t seed : test::seeds(runs)) {
    const Result result = random_run(seed, ReapMutant::none);
    if (!result.failure.empty()) {
      FAIL("DYNAMO_SEED=" << seed << ": " << result.failure << "\nafter\n"
                          << text(fewest(result, ReapMutant::none)));
    }
    for (std::size_t op = 0; op < ops_count; ++op) sum.done[op] += result.tally.done[op];
    sum.dropped += result.tally.dropped;
    sum.refused += result.tally.refused;
    sum.rebuilt += result.tally.rebuilt;
  }
  if (test::seeds(2).size() < 2) return;  // one seed need not show everything
  for (std::size_t op = 0; op < ops_count; ++op) {
    INFO(ReapRun::text({.op = static_cast<Op>(op)}));
    CHECK(sum.done[op] > runs / 25);
  }
  CHECK(sum.dropped > runs / 5);
  CHECK(sum.refused > runs / 10);
  CHECK(sum.rebuilt > runs / 10);
}

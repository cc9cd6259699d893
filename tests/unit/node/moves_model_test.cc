// The protocol by which a partition moves (moves_run.h), model-checked by random runs. A failure
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
#include "unit/node/moves_schedules.h"

namespace {

using dynamo::core::Prng;
using test::MovesMutant;
using test::MovesRun;
using test::MovesSteps;
using Op = MovesRun::Op;

constexpr auto ops_count = static_cast<std::size_t>(Op::count);

std::uint8_t small(std::uint64_t n) { return static_cast<std::uint8_t>(n); }

// Each run has its own mixture of what happens, so that in some hardly anybody ever hears of a
// view, and in some the moves run smoothly.
struct Mixture {
  explicit Mixture(Prng& prng) {
    for (std::uint64_t& weight : weights) weight = 1 + prng.below(12);
    const auto rarely = [&](Op op, std::uint64_t below) {
      weights[static_cast<std::size_t>(op)] = prng.below(below);
    };
    rarely(Op::crash, 6);
    rarely(Op::die, 4);
    rarely(Op::join, 4);
    rarely(Op::leave, 3);
    rarely(Op::put, 6);
    rarely(Op::stand_in, 8);
    diligence = 0.1 * static_cast<double>(prng.below(10));
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

MovesRun::Setting draw_setting(Prng& prng) {
  constexpr std::array<MovesRun::Setting, 3> quorums = {{{2, 2}, {1, 3}, {3, 1}}};
  MovesRun::Setting setting = quorums[prng.below(quorums.size())];
  setting.members = small(3 + prng.below(2));
  for (std::size_t i = setting.order.size() - 1; i > 0; --i) {
    std::swap(setting.order[i], setting.order[prng.below(i + 1)]);
  }
  return setting;
}

MovesRun::Step draw_step(Prng& prng, const Mixture& mixture, const MovesRun& run, bool quiet) {
  constexpr std::array protocol = {Op::adopt,   Op::adopt, Op::store,   Op::store,
                                   Op::compare, Op::offer, Op::drop,    Op::compare,
                                   Op::finish,  Op::sync,  Op::hand_off};
  const bool diligent = prng.chance(quiet ? 0.95 : mixture.diligence);
  MovesRun::Step step{.op = diligent ? protocol[prng.below(protocol.size())] : mixture.draw(prng)};
  step.a = small(prng.below(MovesRun::nodes));
  step.b = small(prng.below(MovesRun::nodes));
  step.c = small(prng.below(MovesRun::nodes));
  const auto view = [&] {
    const std::uint64_t back = prng.chance(0.7) ? 0 : prng.below(run.views());
    return small(run.views() - back);
  };
  const auto write = [&] { return small(prng.below(std::max<std::uint64_t>(run.writes(), 1))); };
  switch (step.op) {
    case Op::put:
    case Op::read:
      step.a = view();
      break;
    case Op::deliver:
    case Op::answer:
    case Op::stand_in:
      step.a = write();
      break;
    case Op::renew:
      step.a = write();
      step.b = view();
      break;
    case Op::adopt:
      step.b = view();
      break;
    case Op::join:
      if (prng.chance(0.7)) step.b = 0;
      break;
    default:
      break;
  }
  return step;
}

struct Result {
  MovesRun::Setting setting{};
  std::string failure{};
  MovesSteps steps{};
  std::array<std::uint64_t, ops_count> done{};
  std::uint64_t acknowledged = 0;
};

Result random_run(std::uint64_t seed, MovesMutant mutant) {
  Prng prng(seed);
  const Mixture mixture(prng);
  Result result{.setting = draw_setting(prng)};
  MovesRun run(result.setting, mutant);
  bool quiet = false;
  for (std::uint64_t left = 30 + prng.below(250); left > 0 && !run.failed(); --left) {
    if (prng.chance(0.05)) quiet = !quiet;
    for (int tries = 0; tries < 50; ++tries) {
      const MovesRun::Step step = draw_step(prng, mixture, run, quiet);
      if (!run.apply(step)) continue;
      result.steps.push_back(step);
      ++result.done[static_cast<std::size_t>(step.op)];
      break;
    }
  }
  if (!run.failed()) run.come_to_rest();
  for (std::uint8_t write = 0; write < run.writes(); ++write) {
    result.acknowledged += run.acknowledged(write) ? 1 : 0;
  }
  result.failure = run.failure();
  return result;
}

// Leaves out whatever the failure does not need.
MovesSteps shrunk(MovesSteps steps, const MovesRun::Setting& setting, MovesMutant mutant) {
  for (std::size_t width = steps.size() / 2; width > 0;) {
    bool any = false;
    for (std::size_t from = 0; from + width <= steps.size();) {
      MovesSteps fewer = steps;
      const auto first = fewer.begin() + static_cast<std::ptrdiff_t>(from);
      fewer.erase(first, first + static_cast<std::ptrdiff_t>(width));
      if (test::replay(fewer, setting, mutant).empty()) {
        from += width;
      } else {
        steps = std::move(fewer);
        any = true;
      }
    }
    if (!any || width > 1) width /= 2;
  }
  return steps;
}

std::uint64_t wanted_runs(std::uint64_t count) {
  const char* given = std::getenv("DYNAMO_RUNS");
  return given == nullptr ? count : std::strtoull(given, nullptr, 10);
}

std::string explain(std::uint64_t seed, const Result& result, MovesMutant mutant) {
  const MovesSteps steps = shrunk(result.steps, result.setting, mutant);
  return "DYNAMO_SEED=" + std::to_string(seed) + ": " +
         test::replay(steps, result.setting, mutant) + " (w=" + std::to_string(result.setting.w) +
         ", " + std::to_string(result.setting.members) + " members) after\n" +
         test::text(steps, result.setting, mutant);
}

}  // namespace

TEST_CASE("moves: no run loses an acknowledged write or lets a read miss it") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const std::uint64_t runs = wanted_runs(3000);  // they take ten times as long
#else
  const std::uint64_t runs = wanted_runs(20000);
#endif
  std::array<std::uint64_t, ops_count> done{};
  std::uint64_t acknowledged = 0;
  for (const std::uint64_t seed : test::seeds(runs)) {
    const Result result = random_run(seed, MovesMutant::none);
    if (!result.failure.empty()) FAIL(explain(seed, result, MovesMutant::none));
    for (std::size_t op = 0; op < ops_count; ++op) done[op] += result.done[op];
    acknowledged += result.acknowledged;
  }
  if (test::seeds(2).size() < 2) return;  // one seed need not show everything
  for (std::size_t op = 0; op < ops_count; ++op) {
    INFO(op);
    CHECK(done[op] > runs / 25);
  }
  CHECK(acknowledged > runs / 2);
}

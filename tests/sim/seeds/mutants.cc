#include "mutants.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "base/mutant.h"
#include "seed_run.h"
#include "workers.h"

namespace seeds {

namespace {

#ifdef DYNAMO_MUTANTS

struct Found {
  std::uint64_t seeds = 0;  // that it took; 0: not found
  std::string checker{};
};

// The checker that finds something; empty if none does.
std::string judge(dynamo::core::Mutant mutant, std::uint64_t seed, const Overrides& overrides) {
  dynamo::core::active_mutant = mutant;
  const SeedResult result = run_seed(derive_options(seed, overrides));
  return result.failure ? result.failure->checker : std::string();
}

Found find(dynamo::core::Mutant mutant, std::uint64_t from, const Campaign& campaign) {
  Found found;
  std::uint64_t done = 0;
  run_in_processes(
      campaign.seeds, campaign.processes,
      [&](std::uint64_t job) { return judge(mutant, from + job, campaign.overrides); },
      [&](const Outcome& outcome) {
        ++done;
        const bool failed = outcome.died || !outcome.text.empty();
        if (failed && found.seeds == 0) found = {done, outcome.died ? "a check" : outcome.text};
        return found.seeds == 0;
      });
  return found;
}

std::string row(std::size_t mutant, std::vector<Found> all) {
  std::map<std::string, int> checkers;
  for (const Found& found : all) {
    if (found.seeds > 0) ++checkers[found.checker];
  }
  std::string by;
  for (const auto& [checker, times] : checkers) by += (by.empty() ? "" : ", ") + checker;
  const auto missed = std::ranges::count(all, 0u, &Found::seeds);
  std::ranges::sort(all, {}, [](const Found& found) { return found.seeds - 1; });  // 0 comes last
  const auto text = [](const Found& found) {
    return found.seeds == 0 ? std::string("not found") : std::to_string(found.seeds);
  };
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", dynamo::core::mutant_names[mutant], by,
                     text(all[all.size() / 2]), text(all.back()), missed);
}

#endif

}  // namespace

#ifdef DYNAMO_MUTANTS
bool find_mutants(const Campaign& campaign, const std::string& only) {
  fmt::print(
      "| mistake | found by | seeds, median | at most | not within {} |\n|---|---|---|---|---|\n",
      campaign.seeds);
  bool all_found = true;
  for (std::size_t i = 1; i < dynamo::core::mutant_names.size(); ++i) {
    if (!only.empty() && only != dynamo::core::mutant_names[i]) continue;
    std::vector<Found> found;
    for (int trial = 0; trial < campaign.trials; ++trial) {
      const std::uint64_t from = campaign.from + static_cast<std::uint64_t>(trial) * campaign.seeds;
      found.push_back(find(static_cast<dynamo::core::Mutant>(i), from, campaign));
      all_found = all_found && found.back().seeds > 0;
    }
    fmt::print("{}", row(i, std::move(found)));
    std::fflush(stdout);
  }
  return all_found;
}
#else
bool find_mutants(const Campaign&, const std::string&) {
  fmt::print(stderr,
             "this build makes no mistakes on purpose; `./dev sim --mutants` makes another\n");
  return false;
}
#endif

}  // namespace seeds

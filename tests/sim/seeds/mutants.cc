#include "mutants.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "base/mutant.h"
#include "seed_run.h"
#include "unit/membership/gossip_storm.h"
#include "workers.h"

namespace seeds {

namespace {

#ifdef DYNAMO_MUTANTS

using dynamo::core::Mutant;

struct Found {
  std::uint64_t seeds = 0;  // that it took; 0: not found
  std::string checker{};
};

// Which seeds a mistake can matter to at all.
enum class Kind {
  any,
  elastic,  // those whose members change
  regular,  // and where every read sees what was acknowledged before
  storm,    // of the register alone, a hundred for each seed, and they still take less time
};

Kind kind_of(Mutant mutant) {
  if (mutant >= Mutant::vote_not_stored) return Kind::storm;
  if (mutant >= Mutant::pending_owners_not_written) return Kind::elastic;
  if (mutant >= Mutant::answers_of_other_views) return Kind::regular;
  return Kind::any;
}

bool is_of(Kind kind, std::uint64_t seed, const Overrides& overrides) {
  if (kind == Kind::any || kind == Kind::storm) return true;
  const SeedOptions options = derive_options(seed, overrides);
  return options.is_elastic() && (kind == Kind::elastic || options.reads_are_regular());
}

// As many as are asked for, from one on.
std::vector<std::uint64_t> seeds_of(Kind kind, std::uint64_t from, const Campaign& campaign) {
  const std::uint64_t count = campaign.seeds * (kind == Kind::storm ? 100 : 1);
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = from; seeds.size() < count; ++seed) {
    if (is_of(kind, seed, campaign.overrides)) seeds.push_back(seed);
  }
  return seeds;
}

// The checker that finds something; empty if none does.
std::string judge(Mutant mutant, std::uint64_t seed, const Overrides& overrides) {
  dynamo::core::active_mutant = mutant;
  if (kind_of(mutant) == Kind::storm) return test::GossipStorm(seed).run().empty() ? "" : "C10";
  const SeedResult result = run_seed(derive_options(seed, overrides));
  return result.failure ? result.failure->checker : std::string();
}

Found find(Mutant mutant, const std::vector<std::uint64_t>& seeds, const Campaign& campaign) {
  Found found;
  std::uint64_t done = 0;
  run_in_processes(
      seeds.size(), campaign.processes,
      [&](std::uint64_t job) { return judge(mutant, seeds[job], campaign.overrides); },
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
    const auto mutant = static_cast<Mutant>(i);
    std::vector<Found> found;
    std::uint64_t from = campaign.from;
    for (int trial = 0; trial < campaign.trials; ++trial) {
      const std::vector<std::uint64_t> seeds = seeds_of(kind_of(mutant), from, campaign);
      from = seeds.back() + 1;
      found.push_back(find(mutant, seeds, campaign));
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

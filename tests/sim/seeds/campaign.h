#pragma once

#include <cstdint>
#include <string>

#include "seed_options.h"
#include "seed_run.h"

namespace seeds {

// Many seeds, on several processes.
struct Campaign {
  std::uint64_t seeds = 300;
  std::uint64_t from = 1;
  int processes = 2;
  int twice = 50;  // every so many run twice; 0: none
  Overrides overrides{};
  bool progress = true;
  int trials = 5;      // searches for each known mistake
  bool go_on = false;  // after a failure; none is made smaller then
};

// Runs them and prints how it goes, and what was visited (C16). Ends with the first failure, which
// it makes smaller and prints: seed, options, trace, and the command that runs it again. True if
// nothing was found.
bool run_campaign(const Campaign& campaign);

// One line for people.
std::string summary_of(const SeedResult& result);

}  // namespace seeds

#pragma once

#include <string>
#include <vector>

#include "unit/node/moves_run.h"

namespace test {

using MovesSteps = std::vector<MovesRun::Step>;

// What it takes to break a promise once a rule is gone.
struct MovesSchedule {
  MovesMutant mutant = MovesMutant::none;
  const char* story = "";
  MovesRun::Setting setting{};
  MovesSteps steps{};
};

// One for each rule.
const std::vector<MovesSchedule>& moves_schedules();

// The failure, if there is one, of these steps and what follows when everything comes to rest.
std::string replay(const MovesSteps& steps, const MovesRun::Setting& setting, MovesMutant mutant);
// For people, with where it led to.
std::string text(const MovesSteps& steps, const MovesRun::Setting& setting, MovesMutant mutant);

}  // namespace test

#pragma once

#include <string>

#include "campaign.h"

namespace seeds {

// Known mistakes (base/mutant.h), each searched for several times from other seeds: how many seeds
// it takes until some checker finds it. Prints a table for tests/sim/mutants.md as it goes, and
// returns whether all were found. `only`: one of them; empty: all.
//
// Of a build without DYNAMO_MUTANTS it says so, and returns false.
bool find_mutants(const Campaign& campaign, const std::string& only);

}  // namespace seeds

#pragma once

#include <string>

#include <absl/functional/function_ref.h>

#include "seed_options.h"
#include "seed_run.h"

namespace seeds {

// A smaller run of the same seed in which the same checker finds something, or the same run.
struct Shrunk {
  Overrides overrides{};
  SeedResult result{};
  int tries = 0;
};

// Tries, as long as it helps: fewer simulated minutes, one class of faults after the other switched
// off, fewer clients, keys and nodes. `told`: how it goes, in words.
Shrunk shrink(std::uint64_t seed, const Overrides& overrides, const SeedResult& failed,
              absl::FunctionRef<void(const std::string&)> told);

// The events of the run that a reader needs: of the key that the failure is about, and everybody's.
std::string trace_of(std::uint64_t seed, const Overrides& overrides);

// "./dev sim --seed 7 ...": what runs it again.
std::string replay_command(std::uint64_t seed, const Overrides& overrides);

}  // namespace seeds

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "findings.h"
#include "seed_options.h"

namespace seeds {

struct SeedResult {
  std::optional<Failure> failure{};
  Visits visited{};
  std::uint64_t faults = 0;   // of all classes, packets that were lost among them
  std::uint64_t planned = 0;  // of the fault plan
  std::uint64_t operations = 0;
  std::chrono::nanoseconds simulated{};
  std::uint64_t trace_hash = 0;
};

// One cluster's life: a phase with faults, a phase in which only some of its nodes come back and
// have to serve (C14), and one in which all do and have to agree.
//
// The same options give the same result (C15). `show`: told everything that happens, if given.
SeedResult run_seed(const SeedOptions& options, const Findings::Show& show = {});

}  // namespace seeds

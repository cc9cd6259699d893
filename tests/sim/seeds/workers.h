#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace seeds {

// Runs jobs 0, 1, 2, ... in processes of their own, for a simulated cluster is one thread. A
// process that dies is a result like any other: it names the job that it died of.
struct Outcome {
  std::uint64_t job = 0;
  bool died = false;
  std::string text{};  // what the job returned
};

// `job` runs in a child, `done` here; `done` returns false to have no more begun. Returns when all
// that were begun are done. Throws std::system_error if no process can be made.
void run_in_processes(std::uint64_t jobs, int processes,
                      const std::function<std::string(std::uint64_t job)>& job,
                      const std::function<bool(const Outcome&)>& done);

}  // namespace seeds

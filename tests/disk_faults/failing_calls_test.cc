// The n-th system call on a node's data directory fails, for every n, in every way that a disk
// fails: during the start on a new directory, during writes, during the stop, and during a start on
// what is there. Whatever happens then, the node says the truth of every write: it is there, it is
// not there, or it is unknown. Once the disk is well again, the node starts and proves it.
//
// Each n is a process of its own: a node that kills its process on a disk error is found as well.
//
// DYNAMO_FAILING_CALLS_OPERATIONS: how many operations the script has.

#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "failing_calls.h"
#include "surroundings.h"
#include "truthful_store.h"
#include "unit/storage/child_process.h"
#include "unit/storage/temporary_directory.h"

namespace {

namespace fs = std::filesystem;
using test::FailingCall;
using test::FailingHow;
using test::TruthfulStore;

constexpr std::array<const char*, 5> how_names = {"EIO", "ENOSPC", "EIO though done", "short",
                                                  "a lie"};

// How one run went.
struct Run {
  std::string failed{};    // the call; empty: there were fewer
  std::string reported{};  // by whom and as what; empty: nobody
  std::string wrong{};     // a broken promise; empty: none
  int acknowledged = 0;
};

// The script: two lives of a node. It ends soon after the first error: a node that has failed goes
// on failing.
void live(TruthfulStore& store, int operations, std::mt19937_64& random, Run& run) {
  constexpr int operations_after_error = 8;
  int left = operations;
  for (int i = 0; i < left; ++i) {
    const absl::Status status = store.operate(random);
    if (status.ok()) continue;
    // An answer is due when the disk has failed, not when patience ends.
    if (absl::IsDeadlineExceeded(status)) run.wrong += "no answer: " + status.ToString() + "; ";
    if (FailingCall::failed().empty()) run.wrong += "no cause: " + status.ToString() + "; ";
    if (!run.reported.empty()) continue;
    run.reported = "operation: " + absl::StatusCodeToString(status.code());
    left = std::min(left, i + operations_after_error);
  }
}

Run run_script(const fs::path& directory, int number, FailingHow how, int operations) {
  Run run;
  std::mt19937_64 random(20071014);
  TruthfulStore store(directory);
  {
    const FailingCall failing(directory, number, how);
    for (int life = 0; life < 2; ++life) {
      const absl::Status started = store.start();
      if (started.ok()) {
        live(store, operations / 2, random, run);
      } else {
        if (run.reported.empty()) {
          run.reported = "start: " + absl::StatusCodeToString(started.code());
        }
        if (FailingCall::failed().empty()) run.wrong += "no start: " + started.ToString();
      }
      store.stop();
    }
    run.failed = FailingCall::failed();
  }
  // The disk is well again.
  const auto require = [&run](const char* what, const absl::Status& status) {
    if (!status.ok()) run.wrong += std::string(what) + ": " + status.ToString() + "; ";
    return status.ok();
  };
  if (require("it does not start again", store.start()) &&
      require("it cannot be read", store.read_all())) {
    for (int i = 0; i < 5; ++i) require("it cannot go on", store.operate(random));
    require("it cannot be read then", store.read_all());
  }
  store.stop();
  run.wrong += store.untruth();
  run.acknowledged = store.acknowledged();
  return run;
}

// In a process of its own.
Run run_in_child(int number, FailingHow how, int operations) {
  const test::TemporaryDirectory temporary(test::memory_directory());
  const fs::path verdict = temporary.path() / "verdict";
  test::ChildProcess child([&] {
    if (how == FailingHow::lie) test::end_quietly_when_killed();
    const Run run = run_script(temporary.path() / "node", number, how, operations);
    std::ofstream(verdict) << run.failed << "\n"
                           << run.reported << "\n"
                           << run.acknowledged << "\n"
                           << run.wrong;
    return 0;
  });
  const int ended = child.wait();
  Run run;
  std::ifstream in(verdict);
  std::string count;
  std::getline(in, run.failed);
  std::getline(in, run.reported);
  std::getline(in, count);
  run.acknowledged = std::atoi(count.c_str());
  run.wrong.assign(std::istreambuf_iterator<char>(in), {});
  if (ended != 0) {
    run.failed = "(unknown)";
    run.wrong = "the process ended with " + std::to_string(ended);
  }
  return run;
}

// What all n of one way to fail have shown.
struct Counts {
  int runs = 0;
  int violations = 0;
  std::string first_violation{};
  std::map<std::string, int> reports{};  // by call and report
};

Counts run_all(FailingHow how, int operations) {
  Counts counts;
  // Threads make a few calls more or less from run to run.
  for (int number = 1, missed = 0; missed < 3; ++number) {
    const Run run = run_in_child(number, how, operations);
    if (run.failed.empty()) {
      ++missed;
      // Without a failure the script shows what it tests.
      if (run.acknowledged < operations / 2) counts.first_violation = "too few writes";
    } else {
      ++counts.runs;
      ++counts.reports[run.failed + " -> " + (run.reported.empty() ? "-" : run.reported)];
    }
    if (run.wrong.empty()) continue;
    if (++counts.violations == 1) {
      counts.first_violation =
          "call " + std::to_string(number) + " (" + run.failed + "): " + run.wrong;
    }
  }
  return counts;
}

void print(FailingHow how, const Counts& counts) {
  std::cout << "failing calls, " << how_names[static_cast<std::size_t>(how)] << ": " << counts.runs
            << " runs, " << counts.violations << " violations\n";
  for (const auto& [report, count] : counts.reports) {
    std::cout << "  " << count << "  " << report << "\n";
  }
  std::cout.flush();  // or each child that is killed prints it again
}

}  // namespace

TEST_CASE("whatever system call fails, the node says the truth and starts again") {
  const FailingHow how = GENERATE(FailingHow::io_error, FailingHow::no_space,
                                  FailingHow::done_io_error, FailingHow::short_write);
  const auto operations =
      static_cast<int>(test::number_from_environment("DYNAMO_FAILING_CALLS_OPERATIONS", 16));
  const Counts counts = run_all(how, operations);
  print(how, counts);
  INFO(counts.first_violation);
  CHECK(counts.violations == 0);
  CHECK(counts.runs > operations);
}

TEST_CASE("the check of failing calls finds a disk that lies") {
  const Counts counts = run_all(FailingHow::lie, 16);
  print(FailingHow::lie, counts);
  CHECK(counts.violations > 0);
}

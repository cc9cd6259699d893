#include "campaign.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "shrink.h"
#include "workers.h"

namespace seeds {

using Clock = std::chrono::steady_clock;

namespace {

// So many meet everything that checkers look at.
constexpr std::uint64_t seeds_that_visit_all = 300;

// What a child tells of a seed: numbers, and the failure in words.
struct Told {
  std::uint64_t faults = 0;
  std::uint64_t planned = 0;
  std::uint64_t operations = 0;
  std::int64_t simulated_ns = 0;
  std::uint64_t hash = 0;
  Visits visited{};
  std::uint64_t differs = 0;  // the second run gave something else
  std::uint64_t failed = 0;
};

std::string tell(const SeedResult& result, bool differs) {
  const Told told{.faults = result.faults,
                  .planned = result.planned,
                  .operations = result.operations,
                  .simulated_ns = result.simulated.count(),
                  .hash = result.trace_hash,
                  .visited = result.visited,
                  .differs = differs ? 1u : 0u,
                  .failed = result.failure ? 1u : 0u};
  return std::string(reinterpret_cast<const char*>(&told), sizeof told);
}

std::string run_one(const Campaign& campaign, std::uint64_t job) {
  const SeedOptions options = derive_options(campaign.from + job, campaign.overrides);
  const SeedResult result = run_seed(options);
  const bool twice = campaign.twice > 0 && job % static_cast<std::uint64_t>(campaign.twice) == 0;
  const bool differs = twice && run_seed(options).trace_hash != result.trace_hash;
  return tell(result, differs);
}

class Progress {
 public:
  explicit Progress(const Campaign& campaign) : campaign_(campaign) {}

  void add(const Told& told) {
    ++seeds_;
    faults_ += told.faults;
    planned_ += told.planned;
    operations_ += told.operations;
    simulated_ns_ += told.simulated_ns;
    for (std::size_t i = 0; i < visits; ++i) visited_[i] += told.visited[i];
    if (!campaign_.progress || Clock::now() < next_) return;
    next_ = Clock::now() + std::chrono::seconds(5);
    print();
  }

  void print() const {
    const double minutes = std::chrono::duration<double>(Clock::now() - start_).count() / 60;
    const double hours = static_cast<double>(simulated_ns_) / 3.6e12;
    fmt::print(
        "{} of {} seeds, {:.0f} faults a seed ({:.0f} of them planned), {} operations, {:.0f} "
        "cluster-hours, {:.0f} a minute and core\n",
        seeds_, campaign_.seeds, per_seed(faults_), per_seed(planned_), operations_, hours,
        hours / minutes / campaign_.processes);
    std::fflush(stdout);
  }

  // C16: what no seed has visited was not tested.
  bool print_visited() const {
    bool all = true;
    fmt::print("visited:");
    for (std::size_t i = 0; i < visits; ++i) {
      fmt::print("{} {} {}", i == 0 ? "" : ",", visited_[i], to_string(static_cast<Visit>(i)));
      all = all && visited_[i] > 0;
    }
    fmt::print("\n");
    return all;
  }

 private:
  double per_seed(std::uint64_t count) const {
    return seeds_ == 0 ? 0 : static_cast<double>(count) / static_cast<double>(seeds_);
  }

  const Campaign& campaign_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_ + std::chrono::seconds(5);
  std::uint64_t seeds_ = 0;
  std::uint64_t faults_ = 0;
  std::uint64_t planned_ = 0;
  std::uint64_t operations_ = 0;
  std::int64_t simulated_ns_ = 0;
  Visits visited_{};
};

void report(const Campaign& campaign, std::uint64_t seed) {
  const SeedOptions options = derive_options(seed, campaign.overrides);
  const SeedResult failed = run_seed(options);
  fmt::print("FAILED\n{}{}\n", describe(options), summary_of(failed));
  std::fflush(stdout);
  if (!failed.failure) {
    fmt::print("but not when it ran again (C15)\n");
    return;
  }
  const Shrunk small = shrink(seed, campaign.overrides, failed, [](const std::string& text) {
    fmt::print("{}\n", text);
    std::fflush(stdout);
  });
  fmt::print("\n{}{}\n{}\nagain: {}\n", describe(derive_options(seed, small.overrides)),
             summary_of(small.result), trace_of(seed, small.overrides),
             replay_command(seed, small.overrides));
}

}  // namespace

std::string summary_of(const SeedResult& result) {
  std::string text = fmt::format(
      "{} operations, {} faults, {:.0f} s, trace hash {:016x}: ", result.operations, result.faults,
      static_cast<double>(result.simulated.count()) / 1e9, result.trace_hash);
  if (!result.failure) return text + "nothing found";
  return text +
         fmt::format("{} at {:.6f} s: {}{}", result.failure->checker,
                     static_cast<double>(result.failure->at.count()) / 1e9,
                     result.failure->key < 0 ? "" : fmt::format("k{}: ", result.failure->key),
                     result.failure->text);
}

bool run_campaign(const Campaign& campaign) {
  Progress progress(campaign);
  std::optional<std::uint64_t> failed;
  std::optional<std::string> fatal;
  run_in_processes(
      campaign.seeds, campaign.processes, [&](std::uint64_t job) { return run_one(campaign, job); },
      [&](const Outcome& outcome) {
        const std::uint64_t seed = campaign.from + outcome.job;
        Told told;
        if (outcome.died || outcome.text.size() != sizeof told) {
          fatal = fmt::format("seed {}: its process died; {}", seed,
                              replay_command(seed, campaign.overrides));
          return false;
        }
        std::memcpy(&told, outcome.text.data(), sizeof told);
        progress.add(told);
        if (told.differs != 0) {
          fatal = fmt::format("seed {}: C15: run twice, it gives two traces; {}", seed,
                              replay_command(seed, campaign.overrides));
        }
        if (told.failed != 0 && campaign.go_on) {
          fmt::print("FAILED {}", replay_command(seed, campaign.overrides) + "\n");
        }
        if (told.failed != 0 && !failed) failed = seed;
        return (!failed || campaign.go_on) && !fatal;
      });
  progress.print();
  const bool all_visited = progress.print_visited();
  if (!all_visited && !failed && !fatal && campaign.seeds >= seeds_that_visit_all) {
    fatal = "C16: what was never visited was not tested";
  }
  if (fatal) fmt::print("FAILED\n{}\n", *fatal);
  if (failed && !campaign.go_on) report(campaign, *failed);
  return !failed && !fatal;
}

}  // namespace seeds

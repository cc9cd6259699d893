// Runs seeds: each is a cluster of its own kind with faults of its own kind, judged by every
// checker.
// `./dev sim` calls it; --help says what it takes.

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "campaign.h"
#include "mutants.h"
#include "seed_options.h"
#include "seed_run.h"
#include "shrink.h"

namespace {

constexpr std::string_view usage =
    "usage: dynamo_sim_seeds [options]\n"
    "  --seeds N        how many (300)\n"
    "  --from S         the first one (1)\n"
    "  --seed N         this one alone\n"
    "  --trace          with --seed: what happens in it\n"
    "  --processes N    at once (2)\n"
    "  --twice N        every N-th runs twice and has to give the same (50; 0: none)\n"
    "  --go-on          after a failure; tell all seeds that fail\n"
    "  --mutants         known mistakes, one after the other: how many seeds find each\n"
    "  --mutant NAME     one of them (src/base/mutant.h)\n"
    "  --trials N        searches for each, from other seeds (5)\n"
    "  --minutes N      simulated, with faults (10)\n"
    "  --nodes N --clients N --keys N   instead of what the seed draws\n"
    "  --without A,B    without these classes of faults: loss, duplication, reordering, replay,\n"
    "                   delay, write_error, crash, power_loss, pause, partition, clog, full_disk,\n"
    "                   slow_disk, data_loss, bit_rot, wipe, old_copy, clock; join, leave, "
    "remove,\n"
    "                   by which members change in half of the seeds\n"
    "  --quiet          no progress\n"
    "exit code 0: nothing found; 1: a failure; 2: wrong arguments\n";

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

bool read_classes(std::string_view list, seeds::Overrides& overrides) {
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    const auto fault = seeds::fault_class(name);
    if (!fault) return false;
    overrides.without[static_cast<std::size_t>(*fault)] = true;
    list.remove_prefix(std::min(list.size(), name.size() + 1));
  }
  return true;
}

struct Arguments {
  seeds::Campaign campaign{};
  bool one = false;
  bool trace = false;
  bool mutants = false;
  std::string mutant{};
};

bool read_value(std::string_view name, std::string_view value, Arguments& to) {
  seeds::Campaign& campaign = to.campaign;
  if (name == "--mutant") {
    to.mutants = true;
    to.mutant = value;
    return true;
  }
  if (name == "--without") return read_classes(value, campaign.overrides);
  const auto n = number(value);
  if (!n) return false;
  const int small = static_cast<int>(std::min<std::uint64_t>(*n, 100'000));
  if (name == "--seeds") {
    campaign.seeds = *n;
  } else if (name == "--from") {
    campaign.from = *n;
  } else if (name == "--seed") {
    campaign.from = *n;
    campaign.seeds = 1;
    to.one = true;
  } else if (name == "--processes" && small > 0) {
    campaign.processes = small;
  } else if (name == "--trials" && small > 0) {
    campaign.trials = small;
  } else if (name == "--twice") {
    campaign.twice = small;
  } else if (name == "--minutes" && small > 0) {
    campaign.overrides.minutes = small;
  } else if (name == "--nodes" && small > 0) {
    campaign.overrides.nodes = small;
  } else if (name == "--clients" && small > 0) {
    campaign.overrides.clients = small;
  } else if (name == "--keys" && small > 0) {
    campaign.overrides.keys = small;
  } else {
    return false;
  }
  return true;
}

std::optional<Arguments> read(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = values[i];
    if (name == "--trace") {
      arguments.trace = true;
    } else if (name == "--mutants") {
      arguments.mutants = true;
    } else if (name == "--go-on") {
      arguments.campaign.go_on = true;
    } else if (name == "--quiet") {
      arguments.campaign.progress = false;
    } else if (i + 1 == count || !read_value(name, values[++i], arguments)) {
      fmt::print(stderr, "dynamo_sim_seeds: cannot take {}\n", values[std::min(i, count - 1)]);
      return std::nullopt;
    }
  }
  return arguments;
}

int replay(const seeds::Campaign& campaign, bool trace) {
  const seeds::SeedOptions options = seeds::derive_options(campaign.from, campaign.overrides);
  fmt::print("{}", seeds::describe(options));
  if (trace) fmt::print("{}", seeds::trace_of(campaign.from, campaign.overrides));
  const seeds::SeedResult result = seeds::run_seed(options);
  fmt::print("{}\n", seeds::summary_of(result));
  return result.failure ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    fmt::print("{}", usage);
    return 0;
  }
  const auto arguments = read(argc, argv);
  if (!arguments) {
    fmt::print(stderr, "{}", usage);
    return 2;
  }
  if (arguments->mutants) {
    return seeds::find_mutants(arguments->campaign, arguments->mutant) ? 0 : 1;
  }
  if (arguments->one) return replay(arguments->campaign, arguments->trace);
  return seeds::run_campaign(arguments->campaign) ? 0 : 1;
}

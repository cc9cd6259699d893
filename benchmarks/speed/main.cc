// The library against floors: what the machine can do with nothing of ours in the way.
//
//   dynamo_bench [--rounds N] [--keys N] [--seconds S] [--flushes N] [--directory DIR]
//                [--results DIR] [--only TEXT] [--suite NAME]
//
// Without --suite the main rows. --suite all: everything else, or the one of that name.
//
// Every round measures every probe once, the next round in the opposite order; a row is the median
// of its ratios within one round. All processes keep to one processor.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "speed/child.h"
#include "speed/cluster.h"
#include "speed/floor.h"
#include "speed/front.h"
#include "speed/probes.h"
#include "speed/report.h"
#include "speed/rows.h"
#include "speed/suite.h"

namespace {

using namespace bench;

struct Options {
  Scale scale{};
  int rounds = 5;
  std::filesystem::path directory = std::filesystem::temp_directory_path() / "dynamo-bench";
  std::filesystem::path results{};
  std::string only{};
  std::string suite{};
};

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    const std::string& name = arguments[i];
    const std::string& value = arguments[i + 1];
    if (name == "--rounds") {
      options.rounds = std::stoi(value);
    } else if (name == "--keys") {
      options.scale.keys = std::stoull(value);
    } else if (name == "--seconds") {
      options.scale.seconds = std::stod(value);
    } else if (name == "--flushes") {
      options.scale.flushes = std::stod(value);
    } else if (name == "--directory") {
      options.directory = value;
    } else if (name == "--results") {
      options.results = value;
    } else if (name == "--only") {
      options.only = value;
    } else if (name == "--suite") {
      options.suite = value;
    } else {
      give_up(fmt::format("unknown option {}", name));
    }
  }
  return options;
}

// `only`: a part of the name, or behind a '=' all of it.
bool is_wanted(const std::string& name, const std::string& only) {
  return only.starts_with('=') ? name == only.substr(1) : name.find(only) != std::string::npos;
}

Samples measure(std::vector<Probe> probes, const Options& options, bool in_order = false) {
  Samples samples;
  for (int round = 0; round < options.rounds; ++round) {
    for (const Probe& probe : probes) {
      if (!is_wanted(probe.name, options.only)) continue;
      samples[probe.name].push_back(probe.measure());
    }
    if (!in_order) std::ranges::reverse(probes);
    fmt::print("round {} of {} done\n", round + 1, options.rounds);
    std::fflush(stdout);
  }
  return samples;
}

void report(const std::vector<Row>& rows, const Samples& samples, const std::string& name,
            const Options& options) {
  const std::vector<Result> results = evaluate(rows, samples);
  fmt::print("\n{}", to_table(results, samples));
  if (options.results.empty()) return;
  write_file(options.results / (name + ".json"), to_json(results, samples));
  write_file(options.results / (name + ".svg"), to_svg(results));
  fmt::print("\nwritten to {}\n", options.results.string());
}

void measure_main_rows(const Setting& setting, const Options& options) {
  Samples samples;
  {
    Bench bench(setting.program, setting.directory, setting.scale, setting.all_processors);
    samples = measure(bench.probes(), options);
    samples.merge(measure(bench.peer_probes(), options));
  }
  report(rows(), samples, "speed", options);
}

void measure_suites(const Setting& setting, const Options& options) {
  for (const NamedSuite& named : suites()) {
    if (options.suite != "all" && options.suite != named.name) continue;
    fmt::print("{}\n", named.name);
    const std::unique_ptr<Suite> suite = named.make(setting);
    report(suite->rows(), measure(suite->probes(), options, suite->in_order()), named.name,
           options);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "--floor") run_floor_peer(std::stoi(arguments[1]));
  if (arguments.size() == 3 && arguments[0] == "--floor") {
    run_floor_peer(std::stoi(arguments[1]), arguments[2]);
  }
  if (arguments.size() == 2 && arguments[0] == "--echo") run_echo_peer(std::stoi(arguments[1]));
  if (arguments.size() > 3 && arguments[0] == "--node") {
    run_node(arguments[1], arguments[2], {arguments.begin() + 3, arguments.end()});
  }
  if (arguments.size() > 4 && arguments[0] == "--front") {
    run_front(std::stoi(arguments[1]), arguments[2], arguments[3],
              {arguments.begin() + 4, arguments.end()});
  }
  const Options options = parse(arguments);
  const Setting setting{.program = std::filesystem::read_symlink("/proc/self/exe"),
                        .directory = options.directory,
                        .scale = options.scale,
                        .all_processors = processors()};
  pin({setting.all_processors.back()});
  if (options.suite.empty()) {
    measure_main_rows(setting, options);
  } else {
    measure_suites(setting, options);
  }
  std::filesystem::remove_all(options.directory);
}

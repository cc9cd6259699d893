// How the library grows: what clusters of ten, a hundred and a thousand members cost, and how
// evenly the load is spread compared with the strategies of the paper, how often versions of a key
// diverge, how many nodes are out of balance, and what the choice of a put's coordinator changes.
//
//   dynamo_bench_scale [--scale] [--strategies] [--versions] [--balance] [--coordinators]
//                      [--members N] [--draws N] [--reads N] [--minutes N] [--puts N]
//                      [--results DIR]
//
// All parts if none is named. Everything but the processor time is the same in every run.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "scale/balance.h"
#include "scale/coordinators.h"
#include "scale/sizes.h"
#include "scale/strategies.h"
#include "scale/versions.h"

namespace {

struct Options {
  bool sizes = false;
  bool strategies = false;
  bool versions = false;
  bool balance = false;
  bool coordinators = false;
  int members_max = 1000;
  int draws = 200;
  int reads = 2000;
  int minutes = 30;
  int puts = 50'000;
  std::filesystem::path results{};
};

bool parse(const std::vector<std::string>& arguments, Options& options) {
  const std::map<std::string, bool*> parts = {{"--scale", &options.sizes},
                                              {"--strategies", &options.strategies},
                                              {"--versions", &options.versions},
                                              {"--balance", &options.balance},
                                              {"--coordinators", &options.coordinators}};
  const std::map<std::string, int*> numbers = {{"--members", &options.members_max},
                                               {"--draws", &options.draws},
                                               {"--reads", &options.reads},
                                               {"--minutes", &options.minutes},
                                               {"--puts", &options.puts}};
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (const auto part = parts.find(name); part != parts.end()) {
      *part->second = true;
    } else if (i + 1 == arguments.size()) {
      return false;
    } else if (const auto number = numbers.find(name); number != numbers.end()) {
      *number->second = std::stoi(arguments[++i]);
    } else if (name == "--results") {
      options.results = arguments[++i];
    } else {
      return false;
    }
  }
  const bool some = std::ranges::any_of(parts, [](const auto& part) { return *part.second; });
  for (const auto& [name, part] : parts) *part = *part || !some;
  return true;
}

void write(const Options& options, const std::string& name, const std::string& text) {
  if (options.results.empty()) return;
  std::filesystem::create_directories(options.results);
  std::ofstream(options.results / name) << text;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse({argv + 1, argv + argc}, options)) {
    fmt::print(stderr, "unknown option, or one without its value\n");
    return 2;
  }
  if (options.sizes) {
    std::vector<bench::SizeRow> rows;
    for (const auto& [members, partitions] : {std::pair(10, 1024), {100, 8192}, {1000, 65536}}) {
      if (members <= options.members_max) rows.push_back(bench::measure_size(members, partitions));
    }
    fmt::print("{}\n", bench::size_table(rows));
    write(options, "scale.json", bench::size_json(rows));
    write(options, "scale.svg", bench::size_svg(rows));
  }
  if (options.strategies) {
    const std::vector<bench::StrategyRow> rows = bench::measure_strategies(options.draws);
    fmt::print("{}\n", bench::strategy_table(rows));
    write(options, "strategies.json", bench::strategy_json(rows, options.draws));
    write(options, "strategies.svg", bench::strategy_svg(rows));
  }
  if (options.versions) {
    const std::vector<bench::VersionsRow> rows = bench::measure_versions(options.reads);
    fmt::print("{}\n", bench::versions_table(rows));
    write(options, "versions.json", bench::versions_json(rows));
  }
  if (options.balance) {
    const std::vector<bench::BalanceRow> rows = bench::measure_balance(options.minutes);
    fmt::print("{}\n", bench::balance_table(rows));
    write(options, "balance.json", bench::balance_json(rows));
  }
  if (options.coordinators) {
    const std::vector<bench::CoordinatorRow> rows = bench::measure_coordinators(options.puts);
    fmt::print("{}\n", bench::coordinator_table(rows));
    write(options, "coordinators.json", bench::coordinator_json(rows));
  }
  return 0;
}

#include "scale/strategies.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>

#include <fmt/format.h>

#include "base/prng.h"
#include "ring/placement.h"
#include "scale/plot.h"

namespace bench {

namespace {

using dynamo::core::Prng;

constexpr int nodes = 30;
constexpr std::size_t replicas = 3;

struct Token {
  std::uint64_t at = 0;
  int node = 0;
};

std::vector<Token> random_tokens(int count, Prng& prng) {
  std::vector<Token> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back({prng.next(), i % nodes});
  std::ranges::sort(tokens, {}, &Token::at);
  return tokens;
}

// The first different nodes from this token on, around the ring.
std::vector<int> owners_from(const std::vector<Token>& tokens, std::size_t first) {
  std::vector<int> owners;
  for (std::size_t i = 0; i < tokens.size() && owners.size() < replicas; ++i) {
    const int node = tokens[(first + i) % tokens.size()].node;
    if (std::ranges::find(owners, node) == owners.end()) owners.push_back(node);
  }
  return owners;
}

double efficiency(const std::vector<double>& loads) {
  double sum = 0;
  for (const double load : loads) sum += load;
  return sum / static_cast<double>(loads.size()) / *std::ranges::max_element(loads);
}

double strategy_1(int entries, Prng& prng) {
  const std::vector<Token> tokens = random_tokens(entries, prng);
  std::vector<double> loads(nodes);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::uint64_t before = tokens[(i + tokens.size() - 1) % tokens.size()].at;
    const double width = std::ldexp(static_cast<double>(tokens[i].at - before), -64);
    for (const int node : owners_from(tokens, i)) loads[static_cast<std::size_t>(node)] += width;
  }
  return efficiency(loads);
}

double strategy_2(int entries, Prng& prng) {
  const std::vector<Token> tokens = random_tokens(std::max(entries / 8, nodes), prng);
  const int partitions = entries - static_cast<int>(tokens.size());
  const std::uint64_t width = UINT64_MAX / static_cast<std::uint64_t>(partitions);
  std::vector<double> loads(nodes);
  for (int i = 1; i <= partitions; ++i) {
    const std::uint64_t end = width * static_cast<std::uint64_t>(i);
    const auto next = std::ranges::lower_bound(tokens, end, {}, &Token::at) - tokens.begin();
    const std::size_t first = static_cast<std::size_t>(next) % tokens.size();
    for (const int node : owners_from(tokens, first)) ++loads[static_cast<std::size_t>(node)];
  }
  return efficiency(loads);
}

double strategy_3(int entries, Prng& prng) {
  std::vector<Token> tokens;
  for (int i = 0; i < entries; ++i) tokens.push_back({0, i % nodes});
  for (std::size_t i = tokens.size() - 1; i > 0; --i) {
    std::swap(tokens[i], tokens[prng.below(i + 1)]);
  }
  std::vector<double> loads(nodes);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    for (const int node : owners_from(tokens, i)) ++loads[static_cast<std::size_t>(node)];
  }
  return efficiency(loads);
}

double library(int entries, Prng& prng) {
  std::vector<dynamo::Member> members;
  for (int i = 0; i < nodes; ++i) members.push_back({.name = fmt::format("{:016x}", prng.next())});
  const dynamo::core::PreferenceLists lists =
      dynamo::core::place(members, entries, static_cast<int>(replicas));
  std::vector<double> loads(nodes);
  for (std::size_t p = 0; p < static_cast<std::size_t>(entries); ++p) {
    for (const dynamo::core::MemberIndex owner : lists[p].first(replicas)) ++loads[owner];
  }
  return efficiency(loads);
}

}  // namespace

std::vector<StrategyRow> measure_strategies(int draws) {
  constexpr std::array<double (*)(int, Prng&), 4> strategies = {strategy_1, strategy_2, strategy_3,
                                                                library};
  std::vector<StrategyRow> rows;
  for (int entries = 256; entries <= 16384; entries *= 2) {
    StrategyRow row{.entries = entries};
    for (const auto strategy : strategies) {
      Prng prng(static_cast<std::uint64_t>(entries));
      double sum = 0;
      double worst = 1;
      for (int draw = 0; draw < draws; ++draw) {
        const double efficiency = strategy(entries, prng);
        sum += efficiency;
        worst = std::min(worst, efficiency);
      }
      row.mean.push_back(sum / draws);
      row.worst.push_back(worst);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string strategy_table(const std::vector<StrategyRow>& rows) {
  std::string text = fmt::format("{:>8}", "entries");
  for (const std::string& name : strategy_names) text += fmt::format(" | {:>10} worst", name);
  text += "\n";
  for (const StrategyRow& row : rows) {
    text += fmt::format("{:>8}", row.entries);
    for (std::size_t i = 0; i < row.mean.size(); ++i) {
      text += fmt::format(" | {:>10.3f} {:>5.3f}", row.mean[i], row.worst[i]);
    }
    text += "\n";
  }
  return text;
}

std::string strategy_json(const std::vector<StrategyRow>& rows, int draws) {
  std::string text;
  for (const StrategyRow& row : rows) {
    text += fmt::format("{}    {{\"entries\": {}", text.empty() ? "" : ",\n", row.entries);
    for (std::size_t i = 0; i < row.mean.size(); ++i) {
      text += fmt::format(R"(, "{}": {{"mean": {:.4f}, "worst": {:.4f}}})", strategy_names[i],
                          row.mean[i], row.worst[i]);
    }
    text += "}";
  }
  return fmt::format(
      "{{\n  \"nodes\": {}, \"replicas\": {}, \"draws\": {},\n  \"load_efficiency\": [\n{}\n  "
      "]\n}}\n",
      nodes, replicas, draws, text);
}

std::string strategy_svg(const std::vector<StrategyRow>& rows) {
  Plot plot("load efficiency (mean over highest load) at 30 nodes, 3 replicas",
            "binary logarithm of the entries of metadata", "mean of all draws");
  for (std::size_t i = 0; i < strategy_names.size(); ++i) {
    Plot::Line line{.name = strategy_names[i]};
    for (const StrategyRow& row : rows)
      line.points.emplace_back(std::log2(row.entries), row.mean[i]);
    plot.lines.push_back(std::move(line));
  }
  return plot.svg();
}

}  // namespace bench

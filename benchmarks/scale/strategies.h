#pragma once

#include <string>
#include <vector>

namespace bench {

// The paper's comparison of strategies (6.2, figures 6 and 8): 30 nodes, 3 replicas, and the same
// number of entries of metadata for each strategy. Load efficiency is the mean load of a node over
// the highest, where all keys are asked for equally often and each owner gets every request.
//
//   1  T random tokens a node; a partition is what lies between two tokens; entries: the tokens
//   2  T random tokens a node, and equal partitions, each of whoever follows its end; there have to
//      be many more partitions than tokens: an eighth of the entries are tokens, the rest
//      partitions
//   3  equal partitions, as many of them to each node; entries: the partitions
//   library: place(), as many partitions as for 3
struct StrategyRow {
  int entries = 0;
  // Over all draws, of names for the library: mean, and the worst.
  std::vector<double> mean{};
  std::vector<double> worst{};
};

inline const std::vector<std::string> strategy_names = {"strategy 1", "strategy 2", "strategy 3",
                                                        "library"};

std::vector<StrategyRow> measure_strategies(int draws);

std::string strategy_table(const std::vector<StrategyRow>& rows);
std::string strategy_json(const std::vector<StrategyRow>& rows, int draws);
std::string strategy_svg(const std::vector<StrategyRow>& rows);

}  // namespace bench

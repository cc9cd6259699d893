#pragma once

#include <string>
#include <vector>

namespace bench {

// The paper's question how often a read finds more than one version (6.3). Five simulated nodes,
// n = 3, r = w = 2, packets of 1 ms in the mean; some writers read a key, and write it with what
// they have read as the context, over and over, each through a node of its own. One key is shared
// by all; every writer works at it some of the time, and else at a key of its own.
struct VersionsRow {
  int writers = 0;
  double shared = 0;               // the part of a writer's operations that are of the shared key
  int reads = 0;                   // of the shared key
  std::vector<double> versions{};  // [i]: the part of them that found i + 1, the last: or more
};

std::vector<VersionsRow> measure_versions(int reads);

std::string versions_table(const std::vector<VersionsRow>& rows);
std::string versions_json(const std::vector<VersionsRow>& rows);

}  // namespace bench

#pragma once

#include <string>
#include <vector>

namespace bench {

// Who coordinates a put: the first owner of the key, or whoever lately answered the application's
// node fastest, as the library and the paper have it (5: the node that answered the preceding read
// first, for lower and steadier times). Five simulated nodes, n = 3, r = w = 2, packets of 1 ms in
// the mean; every node stands still now and then for a while. An application on one of them reads
// keys that it does not own, and writes them; the put begins at the node that is chosen.
struct CoordinatorRow {
  std::string choice{};
  int puts = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
};

std::vector<CoordinatorRow> measure_coordinators(int puts);

std::string coordinator_table(const std::vector<CoordinatorRow>& rows);
std::string coordinator_json(const std::vector<CoordinatorRow>& rows);

}  // namespace bench

#pragma once

#include <cstdint>
#include <vector>

namespace dynamo {

// A distribution of times, in microseconds. Percentiles are within 1.6 % of the truth; `max` is
// exact.
//
// Thread safety: a value.
struct Histogram {
  std::uint64_t count = 0;
  double p50 = 0, p90 = 0, p99 = 0, p999 = 0, max = 0;
};

// What this node's application has asked for since the node started. The service level of the paper
// is in get_latency.p999 and put_latency.p999: from the call until the answer is ready, reconcilers
// not included. What is refused because too many requests are in flight (NodeOptions::requests_max)
// is in the counts, but not in the latencies.
//
// Thread safety: a value.
struct Stats {
  std::uint64_t gets = 0;           // finished, failed ones included
  std::uint64_t puts = 0;           // puts and erases, likewise
  std::uint64_t failed = 0;         // of both
  std::uint64_t siblings_seen = 0;  // gets that found more than one version
  Histogram get_latency{};
  Histogram put_latency{};
  // [i]: gets that found i versions (paper, 6.3); the last counts those that found as many or more.
  std::vector<std::uint64_t> versions_per_get{};
};

}  // namespace dynamo

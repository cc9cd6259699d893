#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include <dynamo/stats.h>

#include "base/time.h"

namespace dynamo::host {

// Counts of times, in buckets whose width grows with the time: 64 to each doubling, so that any
// percentile is within 1/64 of the truth, in 20 KiB whatever is counted.
//
// Thread safety: one thread at a time.
class LatencyHistogram {
 public:
  void add(core::TimePoint took);
  Histogram summary() const;

 private:
  static constexpr int sub_bits = 6;
  static constexpr int octaves = 40;  // of nanoseconds: up to some hours
  static std::size_t bucket_of(std::uint64_t nanoseconds);
  static std::uint64_t upper_bound_of(std::size_t bucket);
  double percentile(double share) const;

  std::array<std::uint32_t, std::size_t{octaves} << sub_bits> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

// What Node::stats() shows.
//
// Thread safety: any thread.
class Statistics {
 public:
  void get_finished(core::TimePoint took, bool ok, std::size_t versions);
  void put_finished(core::TimePoint took, bool ok);
  Stats snapshot() const;

 private:
  static constexpr std::size_t versions_shown = 17;

  mutable std::mutex mutex_;
  Stats counts_;                                          // guarded; without the histograms
  LatencyHistogram gets_;                                 // guarded
  LatencyHistogram puts_;                                 // guarded
  std::array<std::uint64_t, versions_shown> versions_{};  // guarded
};

}  // namespace dynamo::host

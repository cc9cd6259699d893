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
  void add(const LatencyHistogram& other);
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

// What Node::stats() shows, as somebody counts it.
//
// Thread safety: one thread at a time.
class Counts {
 public:
  struct Found {
    bool ok = false;
    std::size_t versions = 0;
  };
  void get_finished(core::TimePoint took, const Found& found);
  void put_finished(core::TimePoint took, bool ok);
  // At once: of no time.
  void refused(std::uint64_t gets, std::uint64_t puts);
  void add(const Counts& other);
  Stats summary() const;

 private:
  static constexpr std::size_t versions_shown = 17;

  Stats counts_;  // without the histograms
  LatencyHistogram gets_;
  LatencyHistogram puts_;
  std::array<std::uint64_t, versions_shown> versions_{};
};

// What the machine's operations count.
//
// Thread safety: any thread.
class Statistics {
 public:
  void get_finished(core::TimePoint took, const Counts::Found& found) {
    const std::lock_guard lock(mutex_);
    counts_.get_finished(took, found);
  }
  void put_finished(core::TimePoint took, bool ok) {
    const std::lock_guard lock(mutex_);
    counts_.put_finished(took, ok);
  }
  void add_to(Counts& counts) const {
    const std::lock_guard lock(mutex_);
    counts.add(counts_);
  }

 private:
  mutable std::mutex mutex_;
  Counts counts_;  // guarded
};

}  // namespace dynamo::host

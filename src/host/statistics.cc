#include "host/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace dynamo::host {

std::size_t LatencyHistogram::bucket_of(std::uint64_t nanoseconds) {
  // Below 64 each value has its own bucket; above, the six bits after the leading one choose within
  // its octave.
  constexpr std::uint64_t linear = std::uint64_t{1} << sub_bits;
  if (nanoseconds < linear) return nanoseconds;
  const int shift = static_cast<int>(std::bit_width(nanoseconds)) - 1 - sub_bits;
  const std::size_t bucket =
      (static_cast<std::size_t>(shift + 1) << sub_bits) + ((nanoseconds >> shift) & (linear - 1));
  return std::min(bucket, (std::size_t{octaves} << sub_bits) - 1);
}

std::uint64_t LatencyHistogram::upper_bound_of(std::size_t bucket) {
  constexpr std::uint64_t linear = std::uint64_t{1} << sub_bits;
  if (bucket < linear) return bucket;
  const std::size_t shift = (bucket >> sub_bits) - 1;
  return ((linear + (bucket & (linear - 1)) + 1) << shift) - 1;
}

void LatencyHistogram::add(core::TimePoint took) {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count()));
  ++buckets_[bucket_of(nanoseconds)];
  ++count_;
  max_ = std::max(max_, nanoseconds);
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

double LatencyHistogram::percentile(double share) const {
  const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return static_cast<double>(std::min(upper_bound_of(bucket), max_)) / 1000;
  }
  return static_cast<double>(max_) / 1000;
}

Histogram LatencyHistogram::summary() const {
  if (count_ == 0) return {};
  return {.count = count_,
          .p50 = percentile(0.5),
          .p90 = percentile(0.9),
          .p99 = percentile(0.99),
          .p999 = percentile(0.999),
          .max = static_cast<double>(max_) / 1000};
}

void Counts::get_finished(core::TimePoint took, const Found& found) {
  ++counts_.gets;
  gets_.add(took);
  if (!found.ok) {
    ++counts_.failed;
    return;
  }
  if (found.versions > 1) ++counts_.siblings_seen;
  ++versions_[std::min(found.versions, versions_shown - 1)];
}

void Counts::put_finished(core::TimePoint took, bool ok) {
  ++counts_.puts;
  puts_.add(took);
  if (!ok) ++counts_.failed;
}

void Counts::refused(std::uint64_t gets, std::uint64_t puts) {
  counts_.gets += gets;
  counts_.puts += puts;
  counts_.failed += gets + puts;
}

void Counts::add(const Counts& other) {
  counts_.gets += other.counts_.gets;
  counts_.puts += other.counts_.puts;
  counts_.failed += other.counts_.failed;
  counts_.siblings_seen += other.counts_.siblings_seen;
  gets_.add(other.gets_);
  puts_.add(other.puts_);
  for (std::size_t i = 0; i < versions_.size(); ++i) versions_[i] += other.versions_[i];
}

Stats Counts::summary() const {
  Stats stats = counts_;
  stats.get_latency = gets_.summary();
  stats.put_latency = puts_.summary();
  stats.versions_per_get.assign(versions_.begin(), versions_.end());
  return stats;
}

}  // namespace dynamo::host

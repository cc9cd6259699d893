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

void Statistics::get_finished(core::TimePoint took, bool ok, std::size_t versions) {
  const std::lock_guard lock(mutex_);
  ++counts_.gets;
  gets_.add(took);
  if (!ok) {
    ++counts_.failed;
    return;
  }
  if (versions > 1) ++counts_.siblings_seen;
  ++versions_[std::min(versions, versions_shown - 1)];
}

void Statistics::put_finished(core::TimePoint took, bool ok) {
  const std::lock_guard lock(mutex_);
  ++counts_.puts;
  puts_.add(took);
  if (!ok) ++counts_.failed;
}

Stats Statistics::snapshot() const {
  const std::lock_guard lock(mutex_);
  Stats stats = counts_;
  stats.get_latency = gets_.summary();
  stats.put_latency = puts_.summary();
  stats.versions_per_get.assign(versions_.begin(), versions_.end());
  return stats;
}

}  // namespace dynamo::host

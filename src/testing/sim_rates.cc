// What SimNetwork and SimDisk may hold.

#include <chrono>
#include <string_view>

#include <dynamo/testing/sim_cluster.h>
#include <fmt/format.h>

namespace dynamo::testing {

namespace {

using std::chrono::nanoseconds;

absl::Status check_rate(std::string_view field, double rate) {
  if (rate >= 0 && rate <= 1) return absl::OkStatus();  // no number at all is neither
  return absl::InvalidArgumentError(fmt::format("{}: {}, the limit is 0 to 1", field, rate));
}

absl::Status check_time(std::string_view field, nanoseconds time, nanoseconds min,
                        nanoseconds max) {
  if (time >= min && time <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{}: {} ns, the limit is {} to {} ns", field,
                                                time.count(), min.count(), max.count()));
}

absl::Status first_error(std::initializer_list<absl::Status> checks) {
  for (const absl::Status& check : checks) {
    if (!check.ok()) return check;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SimNetwork::validate() const {
  constexpr nanoseconds latency_max = std::chrono::hours(1);
  return first_error(
      {check_time("network.latency_min", latency_min, nanoseconds(0), latency_max),
       check_time("network.latency_mean", latency_mean, latency_min, latency_max),
       check_rate("network.loss", loss), check_rate("network.duplication", duplication),
       check_rate("network.reordering", reordering), check_rate("network.replay", replay)});
}

absl::Status SimDisk::validate() const {
  constexpr nanoseconds write_latency_max = std::chrono::minutes(1);
  return first_error(
      {check_time("disk.write_latency", write_latency, nanoseconds(0), write_latency_max),
       check_rate("disk.write_error", write_error), check_rate("disk.bit_rot", bit_rot),
       check_rate("disk.torn", torn)});
}

}  // namespace dynamo::testing

#include "host/admission.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "coordinator/outcome.h"

namespace dynamo::host {

namespace {

constexpr auto window_length = std::chrono::milliseconds(50);
constexpr auto calm_after = std::chrono::seconds(1);
// Fewer would not make full turns.
constexpr int limit_min = 64;

}  // namespace

absl::Status Admission::admit(Kind kind, std::string_view key) {
  const int limit = limit_.load(std::memory_order_relaxed);
  if (in_flight_.fetch_add(1, std::memory_order_relaxed) < limit) return absl::OkStatus();
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  (kind == Kind::get ? refused_gets_ : refused_puts_).fetch_add(1, std::memory_order_relaxed);
  if (limit == requests_max_) {
    return absl::ResourceExhaustedError(
        fmt::format("{}: requests_max is {}, and as many are in flight", core::quote(key), limit));
  }
  return absl::ResourceExhaustedError(
      fmt::format("{}: the node is overloaded; of requests_max, which is {}, it takes {} until it "
                  "is in time again",
                  core::quote(key), requests_max_, limit));
}

void Admission::adjust(core::TimePoint now, const Load& load) {
  const auto lock = mutex_.lock();
  load_.waited += load.waited;
  load_.begun += load.begun;
  load_.answered += load.answered;
  if (now - window_ < window_length) return;
  decide(now);
  window_ = now;
  load_ = {};
}

void Admission::decide(core::TimePoint now) {
  const int limit = this->limit();
  const std::uint64_t refused =
      refused_gets_.load(std::memory_order_relaxed) + refused_puts_.load(std::memory_order_relaxed);
  const bool somebody_was = std::exchange(refused_before_, refused) != refused;
  if (somebody_was) last_refusal_ = now;
  int next = limit;
  if (somebody_was && load_.begun > 0 && load_.waited / load_.begun > late_after) {
    // As many as it answers in that time, at the rate of this window; but not at once, which would
    // be too few where requests wait for others.
    const auto fits = load_.answered * core::TimePoint(wanted) / (now - window_);
    const int least = std::min(limit, std::max(limit_min, limit / 2));
    next = static_cast<int>(std::clamp<std::int64_t>(fits, least, limit));
  } else if (somebody_was) {
    next = limit + limit / 8;
  } else if (now - last_refusal_ >= calm_after) {
    next = requests_max_;
  }
  limit_.store(std::min(next, requests_max_), std::memory_order_relaxed);
}

void Admission::add_to(Counts& counts) const {
  counts.refused(refused_gets_.load(std::memory_order_relaxed),
                 refused_puts_.load(std::memory_order_relaxed));
}

}  // namespace dynamo::host

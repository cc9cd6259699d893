#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <absl/status/status.h>

#include "base/optional_mutex.h"
#include "base/time.h"
#include "host/statistics.h"

namespace dynamo::host {

// How many requests may be in flight, those that wait for their turn among them: as many as the
// node's options say. But once as many were, and the node itself is late, which is overload, step
// by step as few as it answers within `wanted`: what is let in then waits for a short time only,
// and what is not is told at once, by the thread that asks. When the node is in time it lets in
// more, and everything once a second has gone by in which nobody was refused.
//
// Only lateness of this node counts, and not how long requests take: when others are slow or away,
// to let in less would make an outage of it.
//
// Thread safety: admit() and finished() any thread; adjust() too if `shared`, else one at a time.
class Admission {
 public:
  // If requests wait longer than this for their turn, in the mean, the node is late. A full turn of
  // usual requests takes about as long.
  static constexpr auto late_after = std::chrono::microseconds(300);
  static constexpr auto wanted = std::chrono::milliseconds(2);

  // `shared`: by several loops.
  explicit Admission(int requests_max, bool shared = false)
      : requests_max_(requests_max), limit_(requests_max), mutex_(shared) {}

  enum class Kind { get, put };
  // OK: it is in flight until finished(). RESOURCE_EXHAUSTED: there are too many.
  absl::Status admit(Kind kind, std::string_view key);
  // Whether no more than one is in flight.
  bool alone() const { return in_flight_.load(std::memory_order_relaxed) < 2; }
  void finished() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }

  // What a turn has done.
  struct Load {
    core::TimePoint waited{};  // for it, all requests together that have begun
    std::int64_t begun = 0;
    std::int64_t answered = 0;
  };
  // The turn is over.
  void adjust(core::TimePoint now, const Load& load);

  int limit() const { return limit_.load(std::memory_order_relaxed); }
  void add_to(Counts& counts) const;

 private:
  void decide(core::TimePoint now);

  const int requests_max_;
  std::atomic<int> in_flight_{0};
  std::atomic<int> limit_;
  std::atomic<std::uint64_t> refused_gets_{0};
  std::atomic<std::uint64_t> refused_puts_{0};

  core::OptionalMutex mutex_;  // guards the rest
  // Since `window_` began.
  core::TimePoint window_{};
  Load load_{};

  std::uint64_t refused_before_ = 0;  // the window
  core::TimePoint last_refusal_{};    // the end of the last window that had one
};

}  // namespace dynamo::host

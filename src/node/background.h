#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/optional_mutex.h"
#include "base/time.h"

namespace dynamo::core {

// Owns the time slices of what a node does in the background (paper, 6.5): comparisons, transfers
// between owners, hints on their way home, the walk over all records, reaping. What has been done
// is charged here; the answer is when the next piece may begin.
//
// Work of the application comes first: its requests are timed, and when the slower ones of them
// take more than twice as long as they did while the background was quiet, all pauses double, up to
// `slowdown_max`; when they do not, pauses shrink again. Without requests nothing is in anybody's
// way, and pauses are short. Bytes cost time as well, by a limit per second over all kinds.
//
// Nothing ever stops: what waits for background work, a transfer or a delete, goes on slowly at the
// worst.
//
// Thread safety: one thread at a time; but if `shared`, any thread may call foreground() while none
// calls anything else.
class Background {
 public:
  enum class Work { exchange, hints, walk, reaping };
  static constexpr std::size_t kinds = 4;

  static constexpr TimePoint window = std::chrono::milliseconds(250);
  static constexpr int slowdown_max = 64;
  static constexpr int requests_min = 8;  // of a window that says something
  // Differences below it are noise.
  static constexpr TimePoint noise = std::chrono::milliseconds(1);

  // 0: no limit.
  explicit Background(std::uint64_t bytes_per_second = 0, bool shared = false)
      : bytes_per_second_(bytes_per_second), mutex_(shared) {}

  // A request of the application has been answered.
  void foreground(TimePoint now, TimePoint took);

  // A piece of work of `bytes` has been done that is followed by a pause of `rest` when nobody is
  // in its way. Returns when the next one may begin.
  TimePoint done(Work work, TimePoint now, TimePoint rest, std::size_t bytes);
  // Whether it may.
  bool may(Work work, TimePoint now) const { return next_[index(work)] <= now; }
  // When, if now it may not.
  TimePoint next(Work work) const { return next_[index(work)]; }

  int slowdown(TimePoint now);
  int slowdown_now() const { return slowdown_; }  // as of the last window
  // What slow requests take while the background is quiet; zero: not known.
  TimePoint quiet() const { return quiet_; }

 private:
  static std::size_t index(Work work) { return static_cast<std::size_t>(work); }
  void close_window(TimePoint now);

  const std::uint64_t bytes_per_second_;
  OptionalMutex mutex_;  // guards the rest
  std::array<TimePoint, kinds> next_{};
  TimePoint bytes_until_{};  // what has been sent is paid for by then
  int slowdown_ = 1;
  TimePoint window_end_{};
  int requests_ = 0;     // in this window
  TimePoint slowest_{};  // of them
  TimePoint second_{};   // the one before it: one slow request alone may be anything
  bool worked_ = false;  // in this window
  bool works_before_ = false;
  TimePoint quiet_{};
};

}  // namespace dynamo::core

#include "node/background.h"

#include <algorithm>
#include <utility>

namespace dynamo::core {

void Background::foreground(TimePoint now, TimePoint took) {
  const auto lock = mutex_.lock();
  if (now >= window_end_) close_window(now);
  ++requests_;
  if (took > slowest_) second_ = std::exchange(slowest_, took);
  if (took > second_ && took < slowest_) second_ = took;
}

void Background::close_window(TimePoint now) {
  const bool is_new = now < window_end_ + window;  // or there was a time without requests
  const bool worked = std::exchange(worked_, false);
  const bool quiet = !worked && !std::exchange(works_before_, worked);
  if (!is_new) {
    slowdown_ = 1;
  } else if (requests_ >= requests_min) {
    if (quiet) quiet_ = quiet_ == TimePoint{} ? second_ : (7 * quiet_ + second_) / 8;
    const bool in_the_way = quiet_ != TimePoint{} && second_ > 2 * quiet_ + noise;
    if (in_the_way && worked) {
      slowdown_ = std::min(2 * slowdown_, slowdown_max);
    } else if (!in_the_way) {
      slowdown_ = std::max(slowdown_ / 2, 1);
    }
  }
  requests_ = 0;
  slowest_ = {};
  second_ = {};
  window_end_ = now + window;
}

int Background::slowdown(TimePoint now) {
  if (now >= window_end_ + window) close_window(now);
  return slowdown_;
}

TimePoint Background::done(Work work, TimePoint now, TimePoint rest, std::size_t bytes) {
  worked_ = true;
  TimePoint next = now + rest * slowdown(now);
  if (bytes_per_second_ > 0) {
    const auto cost = TimePoint(static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 /
                                                          static_cast<double>(bytes_per_second_)));
    bytes_until_ = std::max(bytes_until_, now) + cost;
    next = std::max(next, bytes_until_);
  }
  next_[index(work)] = next;
  return next;
}

}  // namespace dynamo::core

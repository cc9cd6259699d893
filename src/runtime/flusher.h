#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/time.h"

namespace dynamo::runtime {

// The thread that commits. Sleeps until the time it was asked for.
//
// Thread safety: any thread.
class Flusher {
 public:
  Flusher(std::function<core::TimePoint()> now, std::function<void()> flush);
  ~Flusher() { stop(); }

  // flush() at `at` or before; the earliest time asked counts until the next flush begins.
  void flush_at(core::TimePoint at);
  // Returns once no flush is running. Not from within flush().
  void stop();

 private:
  void run();

  const std::function<core::TimePoint()> now_;
  const std::function<void()> flush_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<core::TimePoint> next_{core::TimePoint::max()};  // changed under the mutex
  bool stopping_ = false;                                      // guarded
  std::thread thread_;
};

}  // namespace dynamo::runtime

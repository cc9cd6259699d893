#include "runtime/flusher.h"

#include <utility>

#include "runtime/named_thread.h"

namespace dynamo::runtime {

Flusher::Flusher(std::function<core::TimePoint()> now, std::function<void()> flush)
    : now_(std::move(now)),
      flush_(std::move(flush)),
      thread_(named_thread("dyn-flush", [this] { run(); })) {}

void Flusher::flush_at(core::TimePoint at) {
  // Asked for with every write, and most are due later than one before them. What has just been
  // begun instead finds what this is about.
  if (at >= next_.load()) return;
  const std::lock_guard lock(mutex_);
  if (at >= next_.load()) return;
  next_ = at;
  changed_.notify_one();
}

void Flusher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Flusher::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const core::TimePoint next = next_;
    const core::TimePoint wait = next == core::TimePoint::max() ? next : next - now_();
    if (wait > core::TimePoint{0}) {
      if (wait == core::TimePoint::max()) {
        changed_.wait(lock);
      } else {
        changed_.wait_for(lock, wait);
      }
      continue;
    }
    next_ = core::TimePoint::max();
    lock.unlock();
    flush_();
    lock.lock();
  }
}

}  // namespace dynamo::runtime

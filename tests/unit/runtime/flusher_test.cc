#include "runtime/flusher.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "catch.hpp"

using dynamo::core::TimePoint;
using dynamo::runtime::Flusher;

namespace {

// A clock that stands, and a count of flushes to wait for.
struct Flushes {
  std::mutex mutex{};
  std::condition_variable changed{};
  int count = 0;  // guarded
  std::atomic<std::int64_t> now_ns{0};

  TimePoint now() const { return TimePoint(now_ns.load()); }
  void add() {
    const std::lock_guard lock(mutex);
    ++count;
    changed.notify_all();
  }
  bool wait_for(int wanted) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(30), [&] { return count >= wanted; });
  }
};

}  // namespace

TEST_CASE("flusher: flushes when asked, once for each time that was asked") {
  Flushes flushes;
  Flusher flusher([&] { return flushes.now(); }, [&] { flushes.add(); });
  flusher.flush_at(TimePoint{0});
  CHECK(flushes.wait_for(1));
  flusher.flush_at(TimePoint{0});
  CHECK(flushes.wait_for(2));
  flusher.stop();
  flusher.stop();
  CHECK(flushes.count == 2);
}

TEST_CASE("flusher: an earlier time overrules a later one, and not the other way round") {
  Flushes flushes;
  Flusher flusher([&] { return flushes.now(); }, [&] { flushes.add(); });
  flusher.flush_at(std::chrono::hours(1));
  flusher.flush_at(TimePoint{0});
  flusher.flush_at(std::chrono::hours(2));
  CHECK(flushes.wait_for(1));
  flusher.stop();
  CHECK(flushes.count == 1);
}

TEST_CASE("flusher: a flush may ask for the next") {
  Flushes flushes;
  Flusher* self = nullptr;
  Flusher flusher([&] { return flushes.now(); },
                  [&] {
                    flushes.add();
                    if (flushes.count < 5) self->flush_at(TimePoint{0});
                  });
  self = &flusher;
  flusher.flush_at(TimePoint{0});
  CHECK(flushes.wait_for(5));
}

TEST_CASE("flusher: one that was never asked ends") {
  Flushes flushes;
  {
    const Flusher flusher([&] { return flushes.now(); }, [&] { flushes.add(); });
  }
  CHECK(flushes.count == 0);
}

#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace dynamo::transport {

// Packets that wait for one connection, oldest first, bounded in bytes.
//
// Thread safety: any thread.
class SendQueue {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // What a waiting packet costs beside its bytes. Counted, so that empty packets are bounded too.
  static constexpr std::size_t overhead_bytes = 64;

  SendQueue(std::size_t bytes_max, TimePoint now) : bytes_max_(bytes_max), last_push_(now) {}

  // False, and nothing kept, if the packet would exceed the bound; a single packet may always wait.
  bool push(std::string packet, TimePoint now);
  // Moves the oldest packets to the end of `batch`: at most `count_max`, and no further one once
  // they make `bytes_max` bytes.
  void take(std::size_t count_max, std::size_t bytes_max, std::vector<std::string>& batch);
  // Drops what was pushed before `time`; returns the number of packets.
  std::size_t drop_before(TimePoint time);
  std::size_t clear();

  bool empty() const;
  std::size_t bytes() const;
  TimePoint last_push() const;

 private:
  struct Entry {
    std::string packet;
    TimePoint pushed;
  };

  const std::size_t bytes_max_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  std::size_t bytes_ = 0;
  TimePoint last_push_;
};

}  // namespace dynamo::transport

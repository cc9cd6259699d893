#include "transport/send_queue.h"

#include <utility>

namespace dynamo::transport {

bool SendQueue::push(std::string packet, TimePoint now) {
  const std::size_t cost = packet.size() + overhead_bytes;
  const std::lock_guard lock(mutex_);
  last_push_ = now;
  if (!entries_.empty() && (cost > bytes_max_ || bytes_ > bytes_max_ - cost)) return false;
  bytes_ += cost;
  entries_.push_back({std::move(packet), now});
  return true;
}

void SendQueue::take(std::size_t count_max, std::size_t bytes_max,
                     std::vector<std::string>& batch) {
  const std::lock_guard lock(mutex_);
  std::size_t taken = 0;
  for (std::size_t i = 0; i < count_max && taken < bytes_max && !entries_.empty(); ++i) {
    const std::size_t size = entries_.front().packet.size();
    batch.push_back(std::move(entries_.front().packet));
    entries_.pop_front();
    bytes_ -= size + overhead_bytes;
    taken += size;
  }
}

std::size_t SendQueue::drop_before(TimePoint time) {
  const std::lock_guard lock(mutex_);
  std::size_t dropped = 0;
  while (!entries_.empty() && entries_.front().pushed < time) {
    bytes_ -= entries_.front().packet.size() + overhead_bytes;
    entries_.pop_front();
    ++dropped;
  }
  return dropped;
}

std::size_t SendQueue::clear() { return drop_before(TimePoint::max()); }

bool SendQueue::empty() const {
  const std::lock_guard lock(mutex_);
  return entries_.empty();
}

std::size_t SendQueue::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

SendQueue::TimePoint SendQueue::last_push() const {
  const std::lock_guard lock(mutex_);
  return last_push_;
}

}  // namespace dynamo::transport

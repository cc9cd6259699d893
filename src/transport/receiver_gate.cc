#include "transport/receiver_gate.h"

#include <utility>

namespace dynamo::transport {

ReceiverGate::ReceiverGate(Transport::Receiver receive) : receive_(std::move(receive)) {}

void ReceiverGate::deliver(std::string packet) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    caller_ = std::this_thread::get_id();
  }
  receive_(std::move(packet), "");
  Transport::Receiver closed_meanwhile;  // destroyed without the lock: it is the application's
  const std::lock_guard lock(mutex_);
  caller_ = {};
  if (closed_) closed_meanwhile = std::exchange(receive_, nullptr);
  idle_.notify_all();
}

void ReceiverGate::close() {
  Transport::Receiver last;
  std::unique_lock lock(mutex_);
  closed_ = true;
  if (caller_ == std::this_thread::get_id()) return;  // deliver() clears up when it comes back
  idle_.wait(lock, [this] { return caller_ == std::thread::id{}; });
  last = std::exchange(receive_, nullptr);
  lock.unlock();
}

}  // namespace dynamo::transport

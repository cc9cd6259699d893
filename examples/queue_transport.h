#pragma once

// A transport of one's own: packets between nodes of one process, without sockets. What an
// application's tests want, and a template for anything that moves bytes.
//
// Each node has a port with one queue a lane and one thread that empties them. A sender finds the
// port by its address, puts the packet there, and is done: it never waits, and what does not fit is
// dropped, since best effort is all that is asked for.

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <dynamo/transport.h>

namespace example {

inline constexpr std::size_t queue_bytes_max = std::size_t{8} << 20;

// What waits for one node. Thread safety: all methods from any thread.
class Port {
 public:
  void push(dynamo::Lane lane, std::string packet) {
    const std::lock_guard lock(mutex_);
    Queue& queue = queues_[static_cast<std::size_t>(lane)];
    if (closed_ || queue.bytes + packet.size() > queue_bytes_max) return;
    queue.bytes += packet.size();
    queue.packets.push_back(std::move(packet));
    changed_.notify_one();
  }

  // The next packet, requests first, once there is one; nullopt after close().
  std::optional<std::string> pop() {
    std::unique_lock lock(mutex_);
    const auto waiting = [](const Queue& queue) { return !queue.packets.empty(); };
    changed_.wait(lock, [&] { return closed_ || std::ranges::any_of(queues_, waiting); });
    if (closed_) return std::nullopt;
    Queue& queue = *std::ranges::find_if(queues_, waiting);
    std::string packet = std::move(queue.packets.front());
    queue.packets.pop_front();
    queue.bytes -= packet.size();
    return packet;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_one();
  }

 private:
  struct Queue {
    std::deque<std::string> packets{};
    std::size_t bytes = 0;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Queue, 2> queues_;  // by lane
  bool closed_ = false;
};

// Who listens where. Outlives the transports. Thread safety: all methods from any thread.
class Switchboard {
 public:
  bool add(const std::string& address, std::shared_ptr<Port> port) {
    const std::lock_guard lock(mutex_);
    return ports_.emplace(address, std::move(port)).second;
  }
  void remove(const std::string& address) {
    const std::lock_guard lock(mutex_);
    ports_.erase(address);
  }
  std::shared_ptr<Port> find(std::string_view address) {
    const std::lock_guard lock(mutex_);
    const auto found = ports_.find(address);
    return found == ports_.end() ? nullptr : found->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Port>, std::less<>> ports_;
};

// The node at `address`. Thread safety: as Transport asks.
class QueueTransport final : public dynamo::Transport {
 public:
  QueueTransport(Switchboard& board, std::string address) : board_(board), address_(address) {}
  // On the receiving thread itself nobody can wait for it; what it still uses, it owns.
  ~QueueTransport() override {
    QueueTransport::stop();
    if (receiving_.joinable()) receiving_.detach();
  }

  absl::StatusOr<std::string> start(Receiver receive) override {
    if (!board_.add(address_, port_)) return absl::UnavailableError(address_ + " is in use");
    started_ = true;
    receiving_ = std::thread([port = port_, deliver = std::move(receive)]() mutable {
      while (auto packet = port->pop()) deliver(*std::move(packet), "");
    });
    return address_;
  }

  void send(std::string_view address, dynamo::Lane lane, std::string packet) override {
    if (!started_) return;
    if (const auto port = board_.find(address)) port->push(lane, std::move(packet));
  }

  // Waits for a call of `receive`, unless it is made from one.
  void stop() override {
    if (started_.exchange(false)) board_.remove(address_);
    port_->close();
    const bool inside = std::this_thread::get_id() == receiving_.get_id();
    if (receiving_.joinable() && !inside) receiving_.join();
  }

 private:
  Switchboard& board_;
  const std::string address_;
  const std::shared_ptr<Port> port_ = std::make_shared<Port>();  // shared with senders, the thread
  std::atomic<bool> started_ = false;
  std::thread receiving_{};
};

}  // namespace example

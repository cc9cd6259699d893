#pragma once

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dynamo/membership/fixed.h>
#include <dynamo/node.h>
#include <dynamo/storage/memory.h>

#include "host_process.h"

namespace test {

// Where the transports of one test find each other: no sockets, no threads of its own.
//
// Thread safety: any thread.
class Exchange {
 public:
  struct Box {
    std::mutex mutex{};                     // held while `receive` runs
    dynamo::Transport::Receiver receive{};  // guarded; empty once stopped
  };

  std::shared_ptr<Box> find(std::string_view address) {
    const std::lock_guard lock(mutex_);
    const auto at = boxes_.find(address);
    return at == boxes_.end() ? nullptr : at->second;
  }
  void add(const std::string& address, std::shared_ptr<Box> box) {
    const std::lock_guard lock(mutex_);
    boxes_.insert_or_assign(address, std::move(box));
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Box>, std::less<>> boxes_;  // guarded
};

class InProcessTransport final : public dynamo::Transport {
 public:
  InProcessTransport(std::shared_ptr<Exchange> exchange, std::string address)
      : exchange_(std::move(exchange)), address_(std::move(address)) {}

  absl::StatusOr<std::string> start(Receiver receive) override {
    box_->receive = std::move(receive);
    exchange_->add(address_, box_);
    return address_;
  }
  void send(std::string_view address, dynamo::Lane, std::string packet) override {
    const std::shared_ptr<Exchange::Box> box = exchange_->find(address);
    if (box == nullptr) return;
    const std::lock_guard lock(box->mutex);
    if (box->receive) box->receive(std::move(packet), "");
  }
  void stop() override {
    const std::lock_guard lock(box_->mutex);
    box_->receive = nullptr;
  }

 private:
  const std::shared_ptr<Exchange> exchange_;
  const std::string address_;
  const std::shared_ptr<Exchange::Box> box_ = std::make_shared<Exchange::Box>();
};

// A node of a cluster of `members`, all in this process.
inline absl::StatusOr<dynamo::Node> start_node(
    const std::shared_ptr<Exchange>& exchange, const std::string& name,
    const std::vector<std::string>& members, asio::any_io_executor executor = {},
    std::chrono::milliseconds flush_interval = std::chrono::seconds(1), int threads = 1) {
  std::vector<dynamo::Member> list;
  for (const std::string& member : members) list.push_back({.name = member, .address = member});
  dynamo::Components components;
  components.transport = std::make_unique<InProcessTransport>(exchange, name);
  components.membership = dynamo::fixed_membership(std::move(list));
  components.storage = dynamo::memory_storage();
  components.executor = std::move(executor);
  return dynamo::Node::start(
      {.name = name, .partitions = 8, .threads = threads, .flush_interval = flush_interval},
      std::move(components));
}

inline std::size_t count_entries(const char* directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}
inline std::size_t threads_now() {
  begin_sanitizer();
  return count_entries("/proc/self/task");
}
// The kernel lists a thread for a moment after it could be joined.
inline bool threads_end_at(std::size_t count) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (threads_now() > count && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  return threads_now() == count;
}
inline std::size_t descriptors_now() { return count_entries("/proc/self/fd"); }

// Counts handlers; a test waits for the last of them.
//
// Thread safety: any thread.
class Tally {
 public:
  void add(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    statuses_.push_back(status);
    changed_.notify_all();
  }
  // Returns whether there were that many within half a minute, which only a broken test reaches.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30),
                             [&] { return statuses_.size() >= count; });
  }
  std::size_t count(absl::StatusCode code) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(statuses_, code, &absl::Status::code));
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return statuses_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<absl::Status> statuses_;  // guarded
};

}  // namespace test

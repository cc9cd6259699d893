#include "speed/floor_disk.h"

#include <algorithm>
#include <utility>

#include <asio/post.hpp>

namespace bench {

FloorDisk::FloorDisk(asio::io_context& io, const std::filesystem::path& directory,
                     std::function<void()> after_batch)
    : io_(io),
      after_batch_(std::move(after_batch)),
      engine_(directory),
      thread_([this] { commit_all(); }) {}

FloorDisk::~FloorDisk() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void FloorDisk::write(std::string_view key, std::string_view value, std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back({std::string(key), std::string(value), std::move(done)});
  if (waiting_.size() == 1) changed_.notify_one();
}

void FloorDisk::commit_all() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    std::vector<Write> batch = std::exchange(waiting_, {});
    lock.unlock();
    std::ranges::stable_sort(batch, {}, &Write::key);
    std::vector<std::pair<std::string_view, std::string_view>> sorted;
    sorted.reserve(batch.size());
    for (const Write& write : batch) sorted.emplace_back(write.key, write.value);
    engine_.commit(sorted);
    tell(std::move(batch));
    lock.lock();
  }
}

void FloorDisk::tell(std::vector<Write> written) {
  asio::post(io_, [this, written = std::move(written)] {
    for (const Write& write : written) write.done();
    after_batch_();
  });
}

}  // namespace bench

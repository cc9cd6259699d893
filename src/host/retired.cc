#include "host/retired.h"

#include <utility>

namespace dynamo::host {

namespace {

// A look at all places is shared by so many.
constexpr std::size_t many = 64;
constexpr std::size_t many_bytes = std::size_t{1} << 20;

}  // namespace

bool Retired::Load::is_much() const { return size() >= many || bytes >= many_bytes; }

void Retired::add(Content content) {
  if (readers_ == nullptr || !content) return;
  const std::lock_guard lock(mutex_);
  note(content.bytes_taken());
  fresh_.contents.push_back(std::move(content));
}

void Retired::add(std::shared_ptr<const void> memory) {
  if (readers_ == nullptr) return;
  const std::lock_guard lock(mutex_);
  note(0);
  fresh_.memory.push_back(std::move(memory));
}

// REQUIRES: mutex_ is held.
void Retired::note(std::size_t bytes) {
  fresh_.bytes += bytes;
  if (fresh_.is_much()) waits_.store(true, std::memory_order_relaxed);
}

void Retired::tidy_now() {
  Load ended;  // freed without the lock
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  if (closed_.size() == 0) {
    closed_ = std::exchange(fresh_, {});
    left_ = ReadSections::all;
  }
  left_ = readers_->still_held(left_);
  if (left_ == 0) std::swap(ended, closed_);
  waits_.store(closed_.size() > 0 || fresh_.is_much(), std::memory_order_relaxed);
}

std::size_t Retired::size() const {
  const std::lock_guard lock(mutex_);
  return fresh_.size() + closed_.size();
}

}  // namespace dynamo::host

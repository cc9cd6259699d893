#include "host/object_buffer.h"

#include <algorithm>
#include <utility>

namespace dynamo::host {

namespace {

// What an entry takes besides its bytes, roughly.
constexpr std::size_t entry_overhead = 128;

}  // namespace

void ObjectBuffer::put(core::WriteRecord write, core::TimePoint now) {
  const std::lock_guard lock(mutex_);
  const auto [at, added] = entries_.try_emplace(std::move(write.key));
  Entry& entry = at->second;
  if (added) {
    bytes_ += at->first.size() + entry_overhead;
  } else {
    bytes_ -= entry.bytes();
  }
  entry.record = std::make_shared<const std::optional<std::string>>(std::move(write.record));
  bytes_ += entry.bytes();
  entry.sequence = ++sequence_;
  entry.writes.push_back({entry.sequence, write.write});
  entry.acknowledged = entry.acknowledged || !write.synced;
  make_due(at, write.synced ? now : now + flush_interval_);
}

void ObjectBuffer::make_due(Entries::iterator at, core::TimePoint due) {
  if (at->second.due <= due) return;
  at->second.due = due;
  due_.emplace(due, at->first);
}

void ObjectBuffer::drop(Entries::iterator at) {
  bytes_ -= at->first.size() + at->second.bytes() + entry_overhead;
  entries_.erase(at);
}

ObjectBuffer::Content ObjectBuffer::find(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(key);
  return at == entries_.end() ? nullptr : at->second.record;
}

ObjectBuffer::Batch ObjectBuffer::range(std::string_view from, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  Batch items;
  for (auto at = entries_.lower_bound(from); at != entries_.end() && items.size() < limit; ++at) {
    items.push_back({at->first, at->second.record, at->second.sequence});
  }
  return items;
}

ObjectBuffer::Batch ObjectBuffer::take(core::TimePoint now, bool all) {
  const std::lock_guard lock(mutex_);
  Batch batch;
  if (batch_out_) return batch;
  while (!due_.empty() && (all || due_.top().first <= now)) {
    const auto [due, key] = due_.top();
    due_.pop();
    const auto at = entries_.find(key);
    if (at == entries_.end() || at->second.due != due)
      continue;  // written, or due earlier than this says
    at->second.due = core::TimePoint::max();
    batch.push_back({at->first, at->second.record, at->second.sequence});
  }
  std::ranges::sort(batch, {}, &Item::key);  // neighbours on disk are written together
  batch_out_ = !batch.empty();
  return batch;
}

std::vector<std::uint64_t> ObjectBuffer::written(const Batch& batch) {
  const std::lock_guard lock(mutex_);
  batch_out_ = false;
  std::vector<std::uint64_t> settled;
  for (const Item& item : batch) {
    const auto at = entries_.find(item.key);
    if (at == entries_.end()) continue;
    if (std::exchange(at->second.refused, false)) --refused_;
    std::erase_if(at->second.writes, [&](const Entry::Write& write) {
      if (write.sequence > item.sequence) return false;
      settled.push_back(write.write);
      return true;
    });
    // What has come in meanwhile stays, and is due on its own.
    if (at->second.sequence == item.sequence) drop(at);
  }
  return settled;
}

std::vector<std::uint64_t> ObjectBuffer::failed(const Batch& batch, core::TimePoint retry,
                                                std::string reason) {
  const std::lock_guard lock(mutex_);
  batch_out_ = false;
  reason_ = std::move(reason);
  std::vector<std::uint64_t> settled;
  for (const Item& item : batch) {
    const auto at = entries_.find(item.key);
    if (at == entries_.end()) continue;
    if (at->second.acknowledged) {
      make_due(at, retry);  // and its writes are settled by the try that succeeds
      if (!std::exchange(at->second.refused, true)) ++refused_;
      continue;
    }
    for (const Entry::Write& write : at->second.writes) settled.push_back(write.write);
    drop(at);
  }
  return settled;
}

std::vector<std::uint64_t> ObjectBuffer::abandoned() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> settled;
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto entry = at++;
    for (const Entry::Write& write : entry->second.writes) settled.push_back(write.write);
    entry->second.writes.clear();
    if (!entry->second.acknowledged) drop(entry);
  }
  return settled;
}

std::string ObjectBuffer::refusal() const {
  const std::lock_guard lock(mutex_);
  return refused_ > 0 ? reason_ : std::string();
}

core::TimePoint ObjectBuffer::due() {
  const std::lock_guard lock(mutex_);
  if (batch_out_) return core::TimePoint::max();
  while (!due_.empty()) {
    const auto at = entries_.find(due_.top().second);
    if (at != entries_.end() && at->second.due == due_.top().first) return due_.top().first;
    due_.pop();
  }
  return core::TimePoint::max();
}

std::size_t ObjectBuffer::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace dynamo::host

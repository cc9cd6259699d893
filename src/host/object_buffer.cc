#include "host/object_buffer.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace dynamo::host {

namespace {

// What an entry takes besides its bytes, roughly.
constexpr std::size_t entry_overhead = 128;

}  // namespace

std::size_t ObjectBuffer::shard_of(std::string_view key) {
  return core::hash64(key, 0) % shard_count;
}

ObjectBuffer::Entries::value_type* ObjectBuffer::entry(const std::string& key) {
  Entries& entries = shard(key).entries;
  const auto at = entries.find(key);
  return at == entries.end() ? nullptr : &*at;
}

void ObjectBuffer::put(core::WriteRecord write, core::TimePoint now) {
  auto record = std::make_shared<const std::optional<std::string>>(std::move(write.record));
  const std::lock_guard lock(mutex_);
  Shard& place = shard(write.key);
  Entries::value_type* added = nullptr;
  {
    const std::lock_guard shard_lock(place.mutex);
    const auto [at, is_new] = place.entries.try_emplace(std::move(write.key));
    added = &*at;
    std::size_t more = is_new ? added->first.size() + entry_overhead : 0;
    std::swap(added->second.record, record);
    more += added->second.bytes();
    if (record != nullptr && *record) more -= (*record)->size();
    bytes_.fetch_add(more, std::memory_order_relaxed);
    if (is_new) place.size.fetch_add(1, std::memory_order_release);
  }
  Entry& entry = added->second;
  entry.sequence = ++sequence_;
  entry.writes.push_back({entry.sequence, write.write});
  entry.acknowledged = entry.acknowledged || !write.synced;
  if (write.synced) {
    make_urgent(*added, now);
  } else {
    make_wait(entry, now + flush_interval_);
  }
}

void ObjectBuffer::make_urgent(Entries::value_type& entry, core::TimePoint now) {
  if (entry.second.state == Entry::State::urgent) return;
  entry.second.state = Entry::State::urgent;
  if (urgent_.empty()) urgent_due_ = now;
  urgent_.push_back(&entry);
}

void ObjectBuffer::make_wait(Entry& entry, core::TimePoint due) {
  if (entry.state != Entry::State::out) return;
  entry.state = Entry::State::waits;
  waiting_due_ = std::min(waiting_due_, due);
}

void ObjectBuffer::drop(const std::string& key) {
  Shard& place = shard(key);
  const std::lock_guard lock(place.mutex);
  const auto at = place.entries.find(key);
  if (at->second.state == Entry::State::urgent) std::erase(urgent_, &*at);
  if (urgent_.empty()) urgent_due_ = core::TimePoint::max();
  bytes_.fetch_sub(at->first.size() + at->second.bytes() + entry_overhead,
                   std::memory_order_relaxed);
  place.entries.erase(at);
  // Whoever sees it gone without a lock finds what the engine has committed before.
  place.size.fetch_sub(1, std::memory_order_release);
}

ObjectBuffer::Content ObjectBuffer::find(std::string_view key) const {
  const Shard& place = shards_[shard_of(key)];
  if (place.size.load(std::memory_order_acquire) == 0) return nullptr;
  const std::lock_guard lock(place.mutex);
  const auto at = place.entries.find(key);
  return at == place.entries.end() ? nullptr : at->second.record;
}

ObjectBuffer::Batch ObjectBuffer::range(std::string_view from, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<const Entries::value_type*> found;
  for (const Shard& place : shards_) {
    auto at = place.entries.lower_bound(from);
    for (std::size_t i = 0; i < limit && at != place.entries.end(); ++i) found.push_back(&*at++);
  }
  std::ranges::sort(found, {}, [](const auto* entry) { return std::string_view(entry->first); });
  found.resize(std::min(limit, found.size()));
  Batch items;
  items.reserve(found.size());
  for (const auto* entry : found) {
    items.push_back({entry->first, entry->second.record, entry->second.sequence});
  }
  return items;
}

ObjectBuffer::Batch ObjectBuffer::take(core::TimePoint now, bool all) {
  const std::lock_guard lock(mutex_);
  Batch batch;
  if (batch_out_) return batch;
  const auto add = [&batch](Entries::value_type& entry) {
    entry.second.state = Entry::State::out;
    batch.push_back({entry.first, entry.second.record, entry.second.sequence});
  };
  if (all || waiting_due_ <= now) {
    waiting_due_ = core::TimePoint::max();
    for (Shard& place : shards_) {
      for (auto& entry : place.entries) {
        if (entry.second.state != Entry::State::out) add(entry);
      }
    }
  } else if (urgent_due_ <= now) {
    for (Entries::value_type* entry : urgent_) add(*entry);
  } else {
    return batch;
  }
  urgent_.clear();
  urgent_due_ = core::TimePoint::max();
  std::ranges::sort(batch, {}, &Item::key);  // neighbours on disk are written together
  batch_out_ = !batch.empty();
  return batch;
}

std::vector<std::uint64_t> ObjectBuffer::written(const Batch& batch) {
  const std::lock_guard lock(mutex_);
  batch_out_ = false;
  std::vector<std::uint64_t> settled;
  for (const Item& item : batch) {
    Entries::value_type* const at = entry(item.key);
    if (at == nullptr) continue;
    if (std::exchange(at->second.refused, false)) --refused_;
    auto& writes = at->second.writes;
    const auto is_newer = [&](const Entry::Write& write) { return write.sequence > item.sequence; };
    const auto newer = std::ranges::find_if(writes, is_newer);  // they ascend
    for (auto write = writes.begin(); write != newer; ++write) settled.push_back(write->write);
    writes.erase(writes.begin(), newer);
    // What has come in meanwhile stays, and is due on its own.
    if (at->second.sequence == item.sequence) drop(item.key);
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
    Entries::value_type* const at = entry(item.key);
    if (at == nullptr) continue;
    if (at->second.acknowledged) {
      make_wait(at->second, retry);  // and its writes are settled by the try that succeeds
      if (!std::exchange(at->second.refused, true)) ++refused_;
      continue;
    }
    for (const Entry::Write& write : at->second.writes) settled.push_back(write.write);
    drop(item.key);
  }
  return settled;
}

std::vector<std::uint64_t> ObjectBuffer::abandoned() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> settled;
  std::vector<std::string> lost;
  for (Shard& place : shards_) {
    for (auto& [key, entry] : place.entries) {
      for (const Entry::Write& write : entry.writes) settled.push_back(write.write);
      entry.writes.clear();
      if (!entry.acknowledged) lost.push_back(key);
    }
  }
  for (const std::string& key : lost) drop(key);
  std::ranges::sort(settled);
  return settled;
}

std::string ObjectBuffer::refusal() const {
  const std::lock_guard lock(mutex_);
  return refused_ > 0 ? reason_ : std::string();
}

core::TimePoint ObjectBuffer::due() {
  const std::lock_guard lock(mutex_);
  if (batch_out_) return core::TimePoint::max();
  return std::min(urgent_due_, waiting_due_);
}

}  // namespace dynamo::host

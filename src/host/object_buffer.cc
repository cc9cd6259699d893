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

void ObjectBuffer::put(core::WriteRecord write, core::TimePoint now) {
  auto record = std::make_shared<const std::optional<std::string>>(std::move(write.record));
  const std::lock_guard lock(mutex_);
  Shard& place = shard(write.key);
  Entries::iterator added;
  {
    const std::lock_guard shard_lock(place.mutex);
    const auto [at, is_new] = place.entries.try_emplace(Key(write.key.begin(), write.key.end()));
    added = at;
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
    make_urgent(added, now);
  } else {
    make_wait(entry, now + flush_interval_);
  }
}

void ObjectBuffer::make_urgent(Entries::iterator entry, core::TimePoint now) {
  if (entry->second.state == Entry::State::urgent) return;
  entry->second.state = Entry::State::urgent;
  if (urgent_.empty()) urgent_due_ = now;
  urgent_.push_back(entry);
}

void ObjectBuffer::make_wait(Entry& entry, core::TimePoint due) {
  if (entry.state != Entry::State::out) return;
  entry.state = Entry::State::waits;
  waiting_due_ = std::min(waiting_due_, due);
}

void ObjectBuffer::drop(Entries::iterator at) {
  Shard& place = shard(view(at->first));
  const std::lock_guard lock(place.mutex);
  if (at->second.state == Entry::State::urgent) std::erase(urgent_, at);
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

std::vector<ObjectBuffer::Found> ObjectBuffer::range(std::string_view from,
                                                     std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<const Entries::value_type*> found;
  for (const Shard& place : shards_) {
    auto at = place.entries.lower_bound(from);
    for (std::size_t i = 0; i < limit && at != place.entries.end(); ++i) found.push_back(&*at++);
  }
  std::ranges::sort(found, {}, [](const auto* entry) { return view(entry->first); });
  found.resize(std::min(limit, found.size()));
  std::vector<Found> items;
  items.reserve(found.size());
  for (const auto* entry : found) {
    items.push_back({std::string(view(entry->first)), entry->second.record});
  }
  return items;
}

ObjectBuffer::Batch ObjectBuffer::take(core::TimePoint now, bool all) {
  const std::lock_guard lock(mutex_);
  Batch batch;
  if (batch_out_) return batch;
  if (all || waiting_due_ <= now) {
    take_all(batch);
  } else if (urgent_due_ <= now) {
    for (const Entries::iterator entry : urgent_) batch.push_back(take_out(entry));
    std::ranges::sort(batch, {}, &Item::key);
  } else {
    return batch;
  }
  urgent_.clear();
  urgent_due_ = core::TimePoint::max();
  batch_out_ = !batch.empty();
  return batch;
}

ObjectBuffer::Item ObjectBuffer::take_out(Entries::iterator entry) {
  entry->second.state = Entry::State::out;
  return {view(entry->first), entry->second.record, entry->second.sequence, entry};
}

// In key order: neighbours on disk are written together. Each shard is in order already.
void ObjectBuffer::take_all(Batch& batch) {
  waiting_due_ = core::TimePoint::max();
  std::vector<std::size_t> ends = {0};  // of what is in order
  for (Shard& place : shards_) {
    for (auto entry = place.entries.begin(); entry != place.entries.end(); ++entry) {
      if (entry->second.state != Entry::State::out) batch.push_back(take_out(entry));
    }
    ends.push_back(batch.size());
  }
  const auto place = [&batch](std::size_t index) {
    return batch.begin() + static_cast<std::ptrdiff_t>(index);
  };
  while (ends.size() > 2) {
    std::vector<std::size_t> merged = {0};
    for (std::size_t i = 2; i < ends.size(); i += 2) {
      std::inplace_merge(place(ends[i - 2]), place(ends[i - 1]), place(ends[i]),
                         [](const Item& a, const Item& b) { return a.key < b.key; });
      merged.push_back(ends[i]);
    }
    if (ends.size() % 2 == 0) merged.push_back(ends.back());
    ends = std::move(merged);
  }
}

std::vector<std::uint64_t> ObjectBuffer::written(const Batch& batch) {
  const std::lock_guard lock(mutex_);
  batch_out_ = false;
  std::vector<std::uint64_t> settled;
  for (const Item& item : batch) {
    const Entries::iterator at = item.entry;
    if (std::exchange(at->second.refused, false)) --refused_;
    auto& writes = at->second.writes;
    const auto is_newer = [&](const Entry::Write& write) { return write.sequence > item.sequence; };
    const auto newer = std::ranges::find_if(writes, is_newer);  // they ascend
    for (auto write = writes.begin(); write != newer; ++write) settled.push_back(write->write);
    writes.erase(writes.begin(), newer);
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
    const Entries::iterator at = item.entry;
    if (at->second.acknowledged) {
      make_wait(at->second, retry);  // and its writes are settled by the try that succeeds
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
  for (Shard& place : shards_) {
    for (auto at = place.entries.begin(); at != place.entries.end();) {
      const auto current = at++;
      Entry& entry = current->second;
      for (const Entry::Write& write : entry.writes) settled.push_back(write.write);
      entry.writes.clear();
      if (!entry.acknowledged) drop(current);
    }
  }
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

#include "host/record_table.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/hash.h"

namespace dynamo::host {

namespace {

// What the allocator takes for two blocks, and the bucket.
constexpr std::size_t overhead = 40;
constexpr std::size_t buckets_min = 16;

}  // namespace

std::size_t RecordTable::Entry::bytes() const {
  return sizeof(Entry) + key_bytes + content.size() + overhead;
}

std::uint64_t RecordTable::hash_of(std::string_view key) { return core::hash64(key, 0); }

RecordTable::~RecordTable() {
  for (Shard& shard : shards_) {
    for (Entry* entry : shard.buckets) {
      while (entry != nullptr) {
        Entry* const next = entry->next;
        entry->~Entry();
        ::operator delete(entry);
        entry = next;
      }
    }
  }
}

RecordTable::Entry** RecordTable::bucket(Shard& shard, std::uint64_t hash) {
  return &shard.buckets[hash / shard_count & (shard.buckets.size() - 1)];
}

RecordTable::Entry* RecordTable::find(const Shard& shard, std::uint64_t hash,
                                      std::string_view key) {
  if (shard.buckets.empty()) return nullptr;
  Entry* entry = shard.buckets[hash / shard_count & (shard.buckets.size() - 1)];
  while (entry != nullptr && (entry->hash != hash || entry->key() != key)) entry = entry->next;
  return entry;
}

RecordTable::Answer RecordTable::read(std::uint64_t hash, std::string_view key,
                                      absl::FunctionRef<void(std::string_view)> visit) const {
  const Shard& shard = shards_[hash % shard_count];
  Content large;
  {
    const std::lock_guard lock(shard.mutex);
    const Entry* const entry = find(shard, hash, key);
    if (entry == nullptr) return {Found::nothing, shard.stamp};
    const std::optional<std::string_view> record = entry->content.record();
    if (!record) return {Found::erased, shard.stamp};
    if (record->size() <= record_bytes_max) {
      if (!entry->was_read) entry->was_read = true;
      visit(*record);
      return {Found::record, shard.stamp};
    }
    large = entry->content;
  }
  visit(*large.record());  // which takes its time
  return {Found::record, 0};
}

RecordTable::Entry& RecordTable::insert(Shard& shard, std::uint64_t hash, std::string_view key) {
  if (shard.size >= shard.buckets.size()) grow(shard);
  auto* const entry = new (::operator new(sizeof(Entry) + key.size()))
      Entry{.hash = hash, .key_bytes = static_cast<std::uint32_t>(key.size())};
  std::memcpy(reinterpret_cast<char*>(entry + 1), key.data(), key.size());
  Entry** const first = bucket(shard, hash);
  entry->next = std::exchange(*first, entry);
  ++shard.size;
  return *entry;
}

void RecordTable::grow(Shard& shard) {
  std::vector<Entry*> before(std::max(buckets_min, 2 * shard.buckets.size()));
  before.swap(shard.buckets);
  shard.hand = 0;
  for (Entry* entry : before) {
    while (entry != nullptr) {
      Entry* const next = entry->next;
      Entry** const first = bucket(shard, entry->hash);
      entry->next = std::exchange(*first, entry);
      entry = next;
    }
  }
}

void RecordTable::remove(Shard& shard, Entry& entry) {
  Entry** at = bucket(shard, entry.hash);
  while (*at != &entry) at = &(*at)->next;
  *at = entry.next;
  --shard.size;
  entry.~Entry();
  ::operator delete(&entry);
}

// What was read since the hand was here last may stay once more.
void RecordTable::make_room(Shard& shard) {
  while (shard.bytes > shard_bytes_max_) {
    shard.hand = (shard.hand + 1) & (shard.buckets.size() - 1);
    for (Entry* entry = shard.buckets[shard.hand]; entry != nullptr;) {
      Entry* const next = entry->next;
      if (entry->unwritten == nullptr && !std::exchange(entry->was_read, false)) {
        shard.bytes -= entry->bytes();
        remove(shard, *entry);
      }
      entry = next;
    }
  }
}

void RecordTable::keep(std::uint64_t hash, std::string_view key, std::string_view record,
                       std::uint64_t stamp) {
  if (shard_bytes_max_ == 0 || record.size() > record_bytes_max) return;
  Content content(record);
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  if (shard.stamp != stamp || find(shard, hash, key) != nullptr) return;
  Entry& entry = insert(shard, hash, key);
  entry.content = std::move(content);
  shard.bytes += entry.bytes();
  make_room(shard);
}

RecordTable::Entry& RecordTable::write(std::uint64_t hash, std::string_view key, Content& content,
                                       Unwritten& fresh) {
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  ++shard.stamp;
  Entry* entry = find(shard, hash, key);
  if (entry == nullptr) {
    entry = &insert(shard, hash, key);
  } else if (entry->unwritten == nullptr) {
    shard.bytes -= entry->bytes();
  }
  if (entry->unwritten == nullptr) entry->unwritten = &fresh;
  std::swap(entry->content, content);
  return *entry;
}

void RecordTable::settle(Entry& entry) {
  Shard& shard = this->shard(entry.hash);
  const std::lock_guard lock(shard.mutex);
  const std::size_t bytes = entry.content.size();
  if (shard_bytes_max_ == 0 || bytes > record_bytes_max || !entry.content.record()) {
    return remove(shard, entry);
  }
  entry.unwritten = nullptr;
  entry.was_read = true;  // it is the latest
  shard.bytes += entry.bytes();
  make_room(shard);
}

void RecordTable::drop(Entry& entry) {
  Shard& shard = this->shard(entry.hash);
  const std::lock_guard lock(shard.mutex);
  remove(shard, entry);
}

std::size_t RecordTable::bytes() const {
  std::size_t bytes = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    bytes += shard.bytes;
  }
  return bytes;
}

}  // namespace dynamo::host

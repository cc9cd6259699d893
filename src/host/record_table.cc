#include "host/record_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/hash.h"
#include "node/event.h"

namespace dynamo::host {

namespace {

constexpr std::size_t slots_min = 16;
// What the allocator takes for a block.
constexpr std::size_t overhead = 8;
// Of a record, roughly.
constexpr std::size_t bytes_usual = 512;
// Of room in the table for each key that is remembered as asked for: so several times as many as
// there are usual records.
constexpr std::size_t bytes_for_each_asked = 64;
// Slots that a look goes through: there are hardly ever as many in a row.
constexpr std::size_t look_max = 32;

constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

RecordTable::~RecordTable() {
  for (const Shard& shard : shards_) {
    for (std::size_t i = 0; i < shard.count; ++i) shard.at(i).put({});
  }
}

Content RecordTable::Slot::put(Content fresh) {
  const ContentRef before = content.load(relaxed);
  content.store(std::move(fresh).give(), std::memory_order_release);
  return Content::hold(before);
}

// Whoever looks finds it here or there, or misses it.
void RecordTable::Slot::copy_to(Slot& other) const {
  other.hash.store(hash.load(relaxed), relaxed);
  other.unwritten = unwritten;
  other.was_read.store(was_read.load(relaxed), relaxed);
  other.content.store(content.load(relaxed), std::memory_order_release);
}

std::size_t RecordTable::Slot::bytes() const {
  return sizeof(Slot) * 3 / 2 + ref().bytes_taken() + overhead;  // a third of the slots is free
}

std::uint64_t RecordTable::hash_of(std::string_view key) { return core::hash64(key, 0); }

std::size_t RecordTable::Shard::find(std::uint64_t hash, std::string_view key) const {
  std::size_t slot = first_of(hash);
  while (at(slot).ref() && (at(slot).hash.load(relaxed) != hash || at(slot).ref().key() != key)) {
    slot = behind(slot);
  }
  return slot;
}

RecordTable::Slot& RecordTable::Shard::place(std::uint64_t hash, std::string_view key,
                                             Retired& retired) {
  if (4 * (size + 1) > 3 * count) grow(retired);
  return at(find(hash, key));
}

void RecordTable::Shard::fill(Slot& slot, std::uint64_t hash, Content content) {
  slot.hash.store(hash, relaxed);
  slot.unwritten = nullptr;
  slot.was_read.store(false, relaxed);
  slot.put(std::move(content));
  ++size;
}

void RecordTable::Shard::grow(Retired& retired) {
  const std::size_t count_before = count;
  const std::shared_ptr<Slot[]> before = std::move(held);
  const std::size_t count_now = std::max(slots_min, 2 * count_before);
  held = std::shared_ptr<Slot[]>(new Slot[count_now]);
  hand = 0;
  for (std::size_t i = 0; i < count_before; ++i) {
    const Slot& slot = before[i];
    if (!slot.ref()) continue;
    std::size_t to = slot.hash.load(relaxed) / shard_count & (count_now - 1);
    while (held[to].ref()) to = (to + 1) & (count_now - 1);
    slot.copy_to(held[to]);
  }
  slots.store(held.get(), std::memory_order_release);
  count.store(count_now, std::memory_order_release);
  retired.add(before);
}

// Closes the gap: what lies behind it and belongs before moves up.
Content RecordTable::Shard::remove(std::size_t slot) {
  Content removed = Content::hold(at(slot).ref());
  --size;
  std::size_t gap = slot;
  for (std::size_t from = behind(gap); at(from).ref(); from = behind(from)) {
    const std::size_t first = first_of(at(from).hash.load(relaxed));
    const std::size_t way_to_gap = (gap - first) & (count - 1);
    const std::size_t way = (from - first) & (count - 1);
    if (way_to_gap > way) continue;
    at(from).copy_to(at(gap));
    gap = from;
  }
  at(gap).content.store({}, std::memory_order_release);
  at(gap).unwritten = nullptr;
  return removed;
}

// What was read since the hand was here last may stay once more.
void RecordTable::Shard::make_room(std::size_t bytes_max, Retired& retired) {
  while (bytes > bytes_max) {
    hand = behind(hand);
    Slot& slot = at(hand);
    if (!slot.ref() || slot.unwritten != nullptr || slot.was_read.exchange(false, relaxed)) {
      continue;
    }
    bytes -= slot.bytes();
    retired.add(remove(hand));
  }
}

bool RecordTable::Shard::was_asked_for(std::uint64_t hash, std::size_t bytes_max) {
  if (asked.empty()) asked.resize(std::bit_ceil(bytes_max / bytes_for_each_asked + 1));
  const auto bits = static_cast<std::uint8_t>(hash >> 56 | 1);  // 0: nobody
  return std::exchange(asked[hash / shard_count & (asked.size() - 1)], bits) == bits;
}

RecordTable::Found RecordTable::show(const Slot& slot, std::string_view record,
                                     absl::FunctionRef<void(std::string_view)> visit) {
  if (!slot.was_read.load(relaxed)) slot.was_read.store(true, relaxed);
  visit(record);
  return Found::record;
}

RecordTable::Found RecordTable::look(std::uint64_t hash, std::string_view key,
                                     absl::FunctionRef<void(std::string_view)> visit) const {
  const Shard& shard = shards_[hash % shard_count];
  const std::size_t count = shard.count.load(std::memory_order_acquire);
  const Slot* const slots = shard.slots.load(std::memory_order_acquire);
  if (count == 0) return Found::nothing;
  for (std::size_t i = 0; i < look_max; ++i) {
    const Slot& slot = slots[(hash / shard_count + i) & (count - 1)];
    const ContentRef content = slot.ref();
    if (!content) return Found::nothing;
    if (slot.hash.load(relaxed) != hash || content.key() != key) continue;
    const std::optional<std::string_view> record = content.record();
    return record ? show(slot, *record, visit) : Found::erased;
  }
  return Found::nothing;
}

RecordTable::Answer RecordTable::read(std::uint64_t hash, std::string_view key,
                                      absl::FunctionRef<void(std::string_view)> visit) const {
  const Shard& shard = shards_[hash % shard_count];
  Content large;
  {
    const std::lock_guard lock(shard.mutex);
    if (shard.is_empty()) return {Found::nothing, shard.stamp};
    const Slot& slot = shard.at(shard.find(hash, key));
    const ContentRef content = slot.ref();
    if (!content) return {Found::nothing, shard.stamp};
    const std::optional<std::string_view> record = content.record();
    if (!record) return {Found::erased, shard.stamp};
    if (record->size() <= record_bytes_max) return {show(slot, *record, visit), shard.stamp};
    large = Content::share(content);
  }
  visit(*large.record());  // which takes its time
  return {Found::record, 0};
}

void RecordTable::prefetch(std::span<const core::ObjectKeyBytes> keys) const {
  std::array<std::uint64_t, core::RecordReader::expected_max> hashes{};
  keys = keys.first(std::min(keys.size(), hashes.size()));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::uint64_t hash = hash_of({keys[i].data(), keys[i].size()});
    hashes[i] = hash;
    const Shard& shard = shards_[hash % shard_count];
    const std::lock_guard lock(shard.mutex);
    if (!shard.is_empty()) __builtin_prefetch(&shard.at(shard.first_of(hash)));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Shard& shard = shards_[hashes[i] % shard_count];
    const std::lock_guard lock(shard.mutex);
    if (shard.is_empty()) continue;
    std::size_t slot = shard.first_of(hashes[i]);
    while (shard.at(slot).ref() && shard.at(slot).hash.load(relaxed) != hashes[i]) {
      slot = shard.behind(slot);
    }
    if (const ContentRef content = shard.at(slot).ref()) content.prefetch();
  }
}

void RecordTable::keep(std::uint64_t hash, std::string_view key, std::string_view record,
                       std::uint64_t stamp) {
  if (shard_bytes_max_ == 0 || record.size() > record_bytes_max) return;
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  if (shard.stamp != stamp) return;
  const bool is_full = shard.bytes + bytes_usual > shard_bytes_max_;
  if (is_full && !shard.was_asked_for(hash, shard_bytes_max_)) return;
  Slot& slot = shard.place(hash, key, retired_);
  if (slot.ref()) return;
  shard.fill(slot, hash, Content(key, record));
  shard.bytes += slot.bytes();
  shard.make_room(shard_bytes_max_, retired_);
}

Unwritten& RecordTable::write(std::uint64_t hash, Content content, Unwritten& fresh) {
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  ++shard.stamp;
  Slot& slot = shard.place(hash, content.key(), retired_);
  if (!slot.ref()) {
    shard.fill(slot, hash, std::move(content));
  } else {
    if (slot.unwritten == nullptr) shard.bytes -= slot.bytes();
    retired_.add(slot.put(std::move(content)));
  }
  if (slot.unwritten == nullptr) slot.unwritten = &fresh;
  return *slot.unwritten;
}

void RecordTable::settle(std::uint64_t hash, std::string_view key) {
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  const std::size_t at = shard.find(hash, key);
  Slot& slot = shard.at(at);
  slot.unwritten = nullptr;
  const ContentRef content = slot.ref();
  const bool stays =
      shard_bytes_max_ > 0 && content.record() && content.record_bytes() <= record_bytes_max;
  if (!stays) return retired_.add(shard.remove(at));
  slot.was_read.store(true, relaxed);  // it is the latest
  shard.bytes += slot.bytes();
  shard.make_room(shard_bytes_max_, retired_);
}

void RecordTable::drop(std::uint64_t hash, std::string_view key) {
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  retired_.add(shard.remove(shard.find(hash, key)));
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

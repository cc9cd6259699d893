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

}  // namespace

std::size_t RecordTable::Slot::bytes() const {
  return sizeof(Slot) * 3 / 2 + content.bytes_taken() + overhead;  // a third of the slots is free
}

std::uint64_t RecordTable::hash_of(std::string_view key) { return core::hash64(key, 0); }

std::size_t RecordTable::Shard::find(std::uint64_t hash, std::string_view key) const {
  std::size_t at = first_of(hash);
  while (slots[at].content && (slots[at].hash != hash || slots[at].content.key() != key)) {
    at = behind(at);
  }
  return at;
}

RecordTable::Slot& RecordTable::Shard::place(std::uint64_t hash, std::string_view key) {
  if (4 * (size + 1) > 3 * slots.size()) grow();
  return slots[find(hash, key)];
}

void RecordTable::Shard::fill(Slot& slot, std::uint64_t hash, Content content) {
  slot.hash = hash;
  slot.content = std::move(content);
  ++size;
}

void RecordTable::Shard::grow() {
  std::vector<Slot> before(std::max(slots_min, 2 * slots.size()));
  before.swap(slots);
  hand = 0;
  for (Slot& slot : before) {
    if (!slot.content) continue;
    std::size_t at = first_of(slot.hash);
    while (slots[at].content) at = behind(at);
    slots[at] = std::move(slot);
  }
}

// Closes the gap: what lies behind it and belongs before moves up.
void RecordTable::Shard::remove(std::size_t slot) {
  --size;
  std::size_t gap = slot;
  for (std::size_t at = behind(gap); slots[at].content; at = behind(at)) {
    const std::size_t way_to_gap = (gap - first_of(slots[at].hash)) & (slots.size() - 1);
    const std::size_t way = (at - first_of(slots[at].hash)) & (slots.size() - 1);
    if (way_to_gap > way) continue;
    slots[gap] = std::move(slots[at]);
    gap = at;
  }
  slots[gap] = Slot();
}

// What was read since the hand was here last may stay once more.
void RecordTable::Shard::make_room(std::size_t bytes_max) {
  while (bytes > bytes_max) {
    hand = behind(hand);
    Slot& slot = slots[hand];
    if (!slot.content || slot.unwritten != nullptr || std::exchange(slot.was_read, false)) continue;
    bytes -= slot.bytes();
    remove(hand);
  }
}

bool RecordTable::Shard::was_asked_for(std::uint64_t hash, std::size_t bytes_max) {
  if (asked.empty()) asked.resize(std::bit_ceil(bytes_max / bytes_for_each_asked + 1));
  const auto bits = static_cast<std::uint8_t>(hash >> 56 | 1);  // 0: nobody
  return std::exchange(asked[hash / shard_count & (asked.size() - 1)], bits) == bits;
}

RecordTable::Answer RecordTable::read(std::uint64_t hash, std::string_view key,
                                      absl::FunctionRef<void(std::string_view)> visit) const {
  const Shard& shard = shards_[hash % shard_count];
  Content large;
  {
    const std::lock_guard lock(shard.mutex);
    if (shard.slots.empty()) return {Found::nothing, shard.stamp};
    const Slot& slot = shard.slots[shard.find(hash, key)];
    if (!slot.content) return {Found::nothing, shard.stamp};
    const std::optional<std::string_view> record = slot.content.record();
    if (!record) return {Found::erased, shard.stamp};
    if (record->size() <= record_bytes_max) {
      if (!slot.was_read) slot.was_read = true;
      visit(*record);
      return {Found::record, shard.stamp};
    }
    large = slot.content;
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
    if (!shard.slots.empty()) __builtin_prefetch(&shard.slots[shard.first_of(hash)]);
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Shard& shard = shards_[hashes[i] % shard_count];
    const std::lock_guard lock(shard.mutex);
    if (shard.slots.empty()) continue;
    std::size_t at = shard.first_of(hashes[i]);
    while (shard.slots[at].content && shard.slots[at].hash != hashes[i]) at = shard.behind(at);
    if (shard.slots[at].content) shard.slots[at].content.prefetch();
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
  Slot& slot = shard.place(hash, key);
  if (slot.content) return;
  shard.fill(slot, hash, Content(key, record));
  shard.bytes += slot.bytes();
  shard.make_room(shard_bytes_max_);
}

Unwritten& RecordTable::write(std::uint64_t hash, Content content, Unwritten& fresh) {
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  ++shard.stamp;
  Slot& slot = shard.place(hash, content.key());
  if (!slot.content) {
    shard.fill(slot, hash, std::move(content));
  } else {
    if (slot.unwritten == nullptr) shard.bytes -= slot.bytes();
    slot.content = std::move(content);
  }
  if (slot.unwritten == nullptr) slot.unwritten = &fresh;
  return *slot.unwritten;
}

void RecordTable::settle(std::uint64_t hash, std::string_view key) {
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  const std::size_t at = shard.find(hash, key);
  Slot& slot = shard.slots[at];
  slot.unwritten = nullptr;
  const bool stays = shard_bytes_max_ > 0 && slot.content.record() &&
                     slot.content.record_bytes() <= record_bytes_max;
  if (!stays) return shard.remove(at);
  slot.was_read = true;  // it is the latest
  shard.bytes += slot.bytes();
  shard.make_room(shard_bytes_max_);
}

void RecordTable::drop(std::uint64_t hash, std::string_view key) {
  Shard& shard = this->shard(hash);
  const std::lock_guard lock(shard.mutex);
  shard.remove(shard.find(hash, key));
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

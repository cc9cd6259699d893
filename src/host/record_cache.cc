#include "host/record_cache.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/hash.h"

namespace dynamo::host {

namespace {

// What a place, its share of the set and the allocator's own take besides the block.
constexpr std::size_t place_overhead = 32;
// Sets are made for records of this size; of larger ones the bytes are used up first.
constexpr std::size_t typical_bytes = 256;

}  // namespace

RecordCache::RecordCache(std::size_t bytes_max)
    : shard_bytes_max_(bytes_max / shard_count),
      sets_(std::max<std::size_t>(1, shard_bytes_max_ / typical_bytes / ways * 4 / 3)) {}

std::uint64_t RecordCache::hash_of(std::string_view key) { return core::hash64(key, 0); }

void RecordCache::Free::operator()(Block* block) const { ::operator delete(block); }

RecordCache::Held RecordCache::make_block(std::string_view key, std::string_view record) {
  void* memory = ::operator new(sizeof(Block) + key.size() + record.size());
  Held block(new (memory) Block{.key_bytes = static_cast<std::uint32_t>(key.size()),
                                .record_bytes = static_cast<std::uint32_t>(record.size()),
                                .bytes = {}});
  std::memcpy(block->bytes, key.data(), key.size());
  if (!record.empty()) std::memcpy(block->bytes + key.size(), record.data(), record.size());
  return block;
}

bool RecordCache::read(std::uint64_t hash, std::string_view key,
                       absl::FunctionRef<void(std::string_view)> visit) const {
  if (shard_bytes_max_ == 0) return false;
  const Shard& shard = shards_[shard_of(hash)];
  const std::lock_guard lock(shard.mutex);
  if (shard.sets.empty()) return false;
  const Set& set = shard.sets[set_of(hash)];
  for (std::size_t i = 0; i < ways; ++i) {
    if (set.tags[i] != tag_of(hash) || set.places[i] == nullptr) continue;
    if (set.places[i]->key() != key) continue;
    visit(set.places[i]->record());
    return true;
  }
  return false;
}

std::uint64_t RecordCache::stamp(std::uint64_t hash) const {
  return shards_[shard_of(hash)].stamp.load(std::memory_order_acquire);
}

void RecordCache::keep(std::uint64_t hash, std::string_view key, std::string_view record,
                       std::uint64_t stamp) {
  if (shard_bytes_max_ == 0 || record.size() > record_bytes_max) return;
  Held block = make_block(key, record);
  const std::size_t size = block->size() + place_overhead;
  if (size > shard_bytes_max_) return;
  Shard& shard = shards_[shard_of(hash)];
  const std::lock_guard lock(shard.mutex);
  if (shard.stamp.load(std::memory_order_relaxed) != stamp) return;
  if (shard.sets.empty()) shard.sets.resize(sets_);
  make_room(shard, size);
  Set& set = shard.sets[set_of(hash)];
  auto place = std::ranges::find_if(
      set.places, [&](const Held& held) { return held != nullptr && held->key() == key; });
  if (place == set.places.end()) place = std::find(place - ways, place, nullptr);
  if (place == set.places.end()) place = set.places.begin() + set.next++ % ways;
  drop(shard, *place);
  *place = std::move(block);
  set.tags[static_cast<std::size_t>(place - set.places.begin())] = tag_of(hash);
  shard.bytes += size;
}

void RecordCache::forget(std::uint64_t hash) {
  if (shard_bytes_max_ == 0) return;
  Shard& shard = shards_[shard_of(hash)];
  const std::lock_guard lock(shard.mutex);
  shard.stamp.fetch_add(1, std::memory_order_release);
  if (shard.sets.empty()) return;
  Set& set = shard.sets[set_of(hash)];
  for (std::size_t i = 0; i < ways; ++i) {
    if (set.tags[i] == tag_of(hash)) drop(shard, set.places[i]);
  }
}

std::size_t RecordCache::bytes() const {
  std::size_t bytes = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    bytes += shard.bytes;
  }
  return bytes;
}

void RecordCache::make_room(Shard& shard, std::size_t more) {
  while (shard.bytes + more > shard_bytes_max_) {
    for (Held& held : shard.sets[shard.hand].places) drop(shard, held);
    shard.hand = (shard.hand + 1) % sets_;
  }
}

void RecordCache::drop(Shard& shard, Held& held) {
  if (held == nullptr) return;
  shard.bytes -= held->size() + place_overhead;
  held.reset();
}

}  // namespace dynamo::host

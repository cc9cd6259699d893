#include "storage/log_tail.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/coding.h"
#include "base/hash.h"

namespace dynamo::storage {
namespace {

// Of an entry: whether there is a record, the key, the record; and so on to the end, where zeros
// may fill it up. No key is empty, so neither is what begins with these.
constexpr std::uint8_t of_put = 1;
constexpr std::uint8_t of_erase = 2;
constexpr std::size_t of_lengths = 16;

// The two bits of a key, and the word that they are in.
struct Place {
  Place(std::uint64_t hash, std::size_t words)
      : word(hash & (words - 1)),
        bits(std::uint64_t{1} << (hash >> 58) | std::uint64_t{1} << (hash >> 52 & 63)) {}
  std::size_t word = 0;
  std::uint64_t bits = 0;
};

}  // namespace

std::string LogTail::encode(std::span<const StorageEngine::Write> batch, std::size_t head_bytes,
                            std::size_t bytes) {
  std::string entry;
  entry.reserve(bytes);
  entry.resize(head_bytes);
  core::Encoder encoder(entry);
  for (const StorageEngine::Write& write : batch) {
    encoder.fixed8(write.record ? of_put : of_erase);
    encoder.bytes(write.key);
    if (write.record) encoder.bytes(*write.record);
  }
  return entry;
}

std::size_t LogTail::encoded_bytes(std::span<const StorageEngine::Write> batch,
                                   std::size_t head_bytes) {
  std::size_t bytes = head_bytes + of_lengths;
  for (const StorageEngine::Write& write : batch) {
    bytes += of_lengths + write.key.size() + (write.record ? write.record->size() : 0);
  }
  return bytes;
}

LogTail::Beginning::Beginning(std::string_view key) {
  std::array<char, 2 * sizeof(std::uint64_t)> bytes{};
  key.copy(bytes.data(), bytes.size());
  first = core::big_endian(bytes.data());
  second = core::big_endian(bytes.data() + sizeof(std::uint64_t));
}

std::string_view LogTail::Item::key() const {
  core::Decoder decoder(std::string_view(at_, bytes_));
  decoder.fixed8();
  return decoder.bytes(StorageEngine::key_bytes_max);
}

LogTail::Record LogTail::Item::record() const {
  core::Decoder decoder(std::string_view(at_, bytes_));
  const std::uint8_t kind = decoder.fixed8();
  decoder.bytes(StorageEngine::key_bytes_max);
  if (kind == of_erase) return std::nullopt;
  return decoder.bytes(StorageEngine::record_bytes_max);
}

std::uint64_t LogTail::hash_of(std::string_view key) { return core::hash64(key, 0); }

bool LogTail::may_have(std::uint64_t hash) const {
  const Filter* const filter = filter_.load(std::memory_order_acquire);
  if (filter == nullptr) return false;
  const Place place(hash, filter->size());
  return ((*filter)[place.word].load(std::memory_order_acquire) & place.bits) == place.bits;
}

// A key of another log, which has moved to the engine, may be looked for in the filter before.
void LogTail::expect(std::size_t bytes) {
  const std::size_t words = std::bit_ceil(std::max<std::size_t>(bytes / bytes_a_word, 1));
  if (!filters_.empty() && filters_.back()->size() >= words) return;
  filters_.push_back(std::make_unique<Filter>(words));
  filter_.store(filters_.back().get(), std::memory_order_release);
}

bool LogTail::add(std::string_view items, const char* at) {
  Filter& filter = *filters_.back();
  core::Decoder decoder(items);
  while (!decoder.at_end()) {
    const std::size_t begin = items.size() - decoder.remaining();
    const std::uint8_t kind = decoder.fixed8();
    if (kind == 0) continue;
    const std::string_view key = decoder.bytes(StorageEngine::key_bytes_max);
    if (kind == of_put) decoder.bytes(StorageEngine::record_bytes_max);
    if (!decoder.ok() || key.empty() || kind > of_erase) return false;
    const Place place(hash_of(key), filter.size());
    filter[place.word].fetch_or(place.bits, std::memory_order_release);
    const std::size_t end = items.size() - decoder.remaining();
    const Item item(key, kind == of_erase, at + begin, end - begin);
    const auto [known, fresh] = records_.insert(item);
    erases_ += item.erases() ? 1 : 0;
    if (fresh) continue;
    erases_ -= known->erases() ? 1 : 0;
    known->replace(item);
  }
  return true;
}

LogTail::Records LogTail::take() {
  if (!filters_.empty()) {
    for (std::atomic<std::uint64_t>& word : *filters_.back()) {
      word.store(0, std::memory_order_release);
    }
  }
  erases_ = 0;
  return std::exchange(records_, {});
}

}  // namespace dynamo::storage

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>

namespace dynamo::host {

// Records that were read from the engine, for the next read of them: a search of the engine's tree
// waits for memory at every level, one here does so twice.
//
// Whoever reads the engine takes a stamp first, looks into the object buffer next, and keeps what
// the engine said under that stamp. Whoever puts a record into the object buffer forgets it here
// afterwards. So nothing is kept that was read before a newer record was to be seen in the buffer.
//
// Bounded by bytes; which records have to go is left to chance, as a set of eight places has no
// room for a ninth. Large ones are not kept: for these the search is a small part of the work.
//
// Thread safety: any thread. Readers share a lock only if their keys fall into one shard.
class RecordCache {
 public:
  static constexpr std::size_t record_bytes_max = 4096;

  // 0: it keeps nothing.
  explicit RecordCache(std::size_t bytes_max);

  static std::uint64_t hash_of(std::string_view key);

  // Calls `visit` with the record and returns true if it is here.
  bool read(std::uint64_t hash, std::string_view key,
            absl::FunctionRef<void(std::string_view)> visit) const;
  std::uint64_t stamp(std::uint64_t hash) const;
  void keep(std::uint64_t hash, std::string_view key, std::string_view record, std::uint64_t stamp);
  void forget(std::uint64_t hash);

  std::size_t bytes() const;

 private:
  struct Block {  // the key and the record follow
    std::uint32_t key_bytes = 0;
    std::uint32_t record_bytes = 0;
    char bytes[1];
    std::string_view key() const { return {bytes, key_bytes}; }
    std::string_view record() const { return {bytes + key_bytes, record_bytes}; }
    std::size_t size() const { return sizeof(Block) + key_bytes + record_bytes; }
  };
  struct Free {
    void operator()(Block* block) const;
  };
  using Held = std::unique_ptr<Block, Free>;
  static Held make_block(std::string_view key, std::string_view record);

  static constexpr std::size_t ways = 8;
  struct Set {
    std::array<std::uint32_t, ways> tags{};  // of the places that are taken
    std::array<Held, ways> places{};
    std::uint32_t next = 0;  // the place that the next one takes if none is free
  };
  struct alignas(64) Shard {
    std::atomic<std::uint64_t> stamp{0};  // grows with whatever is forgotten; changed under mutex
    mutable std::mutex mutex;
    std::vector<Set> sets;  // guarded; made for the first record
    std::size_t bytes = 0;  // guarded
    std::size_t hand = 0;   // guarded: the set that is emptied next
  };
  static constexpr std::size_t shard_count = 64;
  // The lowest bits choose the shard, those above them the set, and the upper half is the tag.
  static std::size_t shard_of(std::uint64_t hash) { return hash % shard_count; }
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  std::size_t set_of(std::uint64_t hash) const { return (hash / shard_count) % sets_; }

  void make_room(Shard& shard, std::size_t more);
  static void drop(Shard& shard, Held& held);

  const std::size_t shard_bytes_max_;
  const std::size_t sets_;  // of a shard
  std::array<Shard, shard_count> shards_;
};

}  // namespace dynamo::host

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>

#include "host/content.h"

namespace dynamo::host {

struct Unwritten;

// The records of the engine that are in memory, by key: those that are newer than the engine's, and
// of those that it has as well as many as there is room for. A search of the engine's tree
// waits for memory at every level, one here two or three times; and a record that is written again
// soon is read before that.
//
// Whoever finds nothing here reads the engine, and keeps what it said under the stamp that the
// search gave. Every write of a shard makes all earlier stamps void, so nothing is kept that was
// read before a newer record was to be seen here.
//
// Of those that the engine has too, the ones that were not read for the longest go first, roughly:
// a hand goes round, and takes what nobody has read since it was here last. Large ones are not
// kept: for these the search is a small part of the work.
//
// Thread safety: read() and keep() any thread, the others one at a time. What was found in one
// shard waits for what is written there.
class RecordTable {
 public:
  static constexpr std::size_t record_bytes_max = 4096;

  // The key follows.
  struct Entry {
    Entry* next = nullptr;  // in its bucket
    std::uint64_t hash = 0;
    Content content{};
    Unwritten* unwritten = nullptr;  // what the object buffer says of it; null: the engine has it
    std::uint32_t key_bytes = 0;
    mutable bool was_read = false;

    std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
    std::size_t bytes() const;
  };

  // `bytes_max` of records that the engine has too; 0: none.
  explicit RecordTable(std::size_t bytes_max) : shard_bytes_max_(bytes_max / shard_count) {}
  ~RecordTable();
  RecordTable(const RecordTable&) = delete;
  RecordTable& operator=(const RecordTable&) = delete;

  static std::uint64_t hash_of(std::string_view key);

  enum class Found { nothing, record, erased };
  struct Answer {
    Found found = Found::nothing;
    std::uint64_t stamp = 0;
  };
  // Calls `visit` with the record, if there is one; it must not call back.
  Answer read(std::uint64_t hash, std::string_view key,
              absl::FunctionRef<void(std::string_view)> visit) const;
  // What the engine has said.
  void keep(std::uint64_t hash, std::string_view key, std::string_view record, std::uint64_t stamp);

  // Newer than the engine's. Returns the entry, which stays where it is until it is settled or
  // dropped, and puts what it held into `content`. An entry that has no `unwritten` gets `fresh`.
  Entry& write(std::uint64_t hash, std::string_view key, Content& content, Unwritten& fresh);
  // The engine has it too, and it may go whenever there is no room: it is the caller's no more.
  void settle(Entry& entry);
  // It goes at once.
  void drop(Entry& entry);

  // Of what may go.
  std::size_t bytes() const;

 private:
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::vector<Entry*> buckets{};  // guarded; a power of two, or none
    std::size_t size = 0;           // guarded: of entries
    std::size_t bytes = 0;          // guarded: of those that may go
    std::size_t hand = 0;           // guarded: the bucket that it has come to
    std::uint64_t stamp = 0;        // guarded
  };
  static constexpr std::size_t shard_count = 64;

  // The lowest bits choose the shard, those above them the bucket.
  Shard& shard(std::uint64_t hash) { return shards_[hash % shard_count]; }
  static Entry** bucket(Shard& shard, std::uint64_t hash);
  static Entry* find(const Shard& shard, std::uint64_t hash, std::string_view key);
  static Entry& insert(Shard& shard, std::uint64_t hash, std::string_view key);
  static void grow(Shard& shard);
  static void remove(Shard& shard, Entry& entry);
  void make_room(Shard& shard);

  const std::size_t shard_bytes_max_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace dynamo::host

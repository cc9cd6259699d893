#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>

#include "host/content.h"
#include "host/read_sections.h"
#include "host/retired.h"
#include "node/engine_keys.h"

namespace dynamo::host {

struct Unwritten;

// The records of the engine that are in memory, by key: those that are newer than the engine's, and
// of those that it has as well as many as there is room for. A search of the engine's tree
// waits for memory at every level, one here twice; and a record that is written again soon is read
// before that.
//
// Whoever finds nothing here reads the engine, and keeps what it said under the stamp that the
// search gave. Every write of a shard makes all earlier stamps void, so nothing is kept that was
// read before a newer record was to be seen here.
//
// Of those that the engine has too, the ones that were not read for the longest go first, roughly:
// a hand goes round, and takes what nobody has read since it was here last. Large ones are not
// kept: for these the search is a small part of the work. And where others would have to go, what
// the engine said is kept when it is asked for the second time within a while: of keys that are
// many more than there is room for, most are not, and to make room for them is work for nothing.
//
// Whoever is within a read section looks without a lock, and so brings no memory of another
// processor's over to write to it. What it finds was there at some moment of the look: contents do
// not change, and what is taken out is kept until it has left. Only that it finds nothing means
// nothing, for a record may move meanwhile.
//
// Thread safety: look(), read(), keep() and tidy() any thread, the others one at a time. Readers
// share a lock only if their keys fall into one shard.
class RecordTable {
 public:
  static constexpr std::size_t record_bytes_max = 4096;

  // `bytes_max` of records that the engine has too; 0: none. `readers` have the sections that
  // look() is called in, and outlive it; null: there are none.
  explicit RecordTable(std::size_t bytes_max, ReadSections* readers = nullptr)
      : shard_bytes_max_(bytes_max / shard_count), retired_(readers) {}
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
  // The same within a read section, and without a stamp. If it finds nothing, there may be
  // something all the same.
  Found look(std::uint64_t hash, std::string_view key,
             absl::FunctionRef<void(std::string_view)> visit) const;
  // Frees what nobody can be looking at any more. Not within a read section.
  void tidy() { retired_.tidy(); }
  // Brings what read() of these needs near the processor, as far as it is here. All at once: one
  // after the other, each would be waited for.
  void prefetch(std::span<const core::ObjectKeyBytes> keys) const;
  // What the engine has said; it may be kept.
  void keep(std::uint64_t hash, std::string_view key, std::string_view record, std::uint64_t stamp);

  // Newer than the engine's. Returns what is known of the unwritten record of that key: `fresh`, if
  // nothing was until now.
  Unwritten& write(std::uint64_t hash, Content content, Unwritten& fresh);
  // Of unwritten ones. The engine has it too, and it may go whenever there is no room.
  void settle(std::uint64_t hash, std::string_view key);
  // It goes at once.
  void drop(std::uint64_t hash, std::string_view key);

  // Of what may go.
  std::size_t bytes() const;

 private:
  // Changed with the shard's lock; looked at without.
  struct Slot {
    std::atomic<std::uint64_t> hash{0};
    std::atomic<ContentRef> content{};  // held; of nothing: the slot is free
    Unwritten* unwritten = nullptr;     // null: the engine has it
    mutable std::atomic<bool> was_read{false};

    ContentRef ref() const { return content.load(std::memory_order_acquire); }
    // What was there.
    Content put(Content fresh);
    void copy_to(Slot& other) const;
    std::size_t bytes() const;
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    // Guarded, and so is the rest, but for those who look. A power of two of them, or none; a
    // record lies in the slot that its hash says, or in the first free one behind it. The count
    // only grows, and is written last: whoever reads it first finds at least so many.
    std::atomic<Slot*> slots{nullptr};
    std::atomic<std::size_t> count{0};
    std::shared_ptr<Slot[]> held{};  // the slots
    std::size_t size = 0;            // of slots that are not free
    std::size_t bytes = 0;           // of those that may go
    std::size_t hand = 0;            // the slot that it has come to
    std::uint64_t stamp = 0;
    // Who was asked for lately: a few bits of the hash, in the place that others of it say.
    std::vector<std::uint8_t> asked{};

    bool is_empty() const { return held == nullptr; }
    // The lowest bits of the hash have chosen the shard.
    std::size_t first_of(std::uint64_t hash) const { return hash / shard_count & (count - 1); }
    std::size_t behind(std::size_t slot) const { return (slot + 1) & (count - 1); }
    Slot& at(std::size_t slot) const { return held[slot]; }
    // Where the record is or would be. REQUIRES: there are slots.
    std::size_t find(std::uint64_t hash, std::string_view key) const;
    // The same, with room for one more.
    Slot& place(std::uint64_t hash, std::string_view key, Retired& retired);
    // REQUIRES: the slot is free.
    void fill(Slot& slot, std::uint64_t hash, Content content);
    void grow(Retired& retired);
    // Returns what was there.
    Content remove(std::size_t slot);
    void make_room(std::size_t bytes_max, Retired& retired);
    // From now on it was.
    bool was_asked_for(std::uint64_t hash, std::size_t bytes_max);
  };
  static constexpr std::size_t shard_count = 64;

  Shard& shard(std::uint64_t hash) { return shards_[hash % shard_count]; }
  static Found show(const Slot& slot, std::string_view record,
                    absl::FunctionRef<void(std::string_view)> visit);

  const std::size_t shard_bytes_max_;
  Retired retired_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace dynamo::host

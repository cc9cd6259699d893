#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "base/recycling_allocator.h"
#include "base/time.h"
#include "node/event.h"

namespace dynamo::host {

// The object buffer of the paper (6.1): the node's records that are newer than the engine's. Every
// write goes through it, and readers look here first.
//
// Records that some acknowledgement waits for are due at once, and a batch is whatever came in
// during the last commit: group commit, never timed. The others are due within the flush interval,
// and then all of them together: a hot key is written to disk once for many puts, and neighbours on
// disk in one commit.
//
// A record may also be erased; until that is on disk too, the buffer says that it is gone.
//
// An entry leaves after the commit that holds it has returned, and only if nothing newer has taken
// its place.
//
// If a commit fails, what was acknowledged from memory stays, and is older than was promised when
// it gets to the disk. That cannot be helped; but for as long as it lasts, refusal() says why
// nothing more may be promised.
//
// Readers share no lock with one another unless their keys fall into one shard, and none with
// anybody while the shard is empty.
//
// Thread safety: any thread.
class ObjectBuffer {
 public:
  // nullopt: erased. Shared, because a commit must not copy 64 MiB.
  using Content = std::shared_ptr<const std::optional<std::string>>;

 private:
  struct Entry {
    Content record{};
    std::uint64_t sequence = 0;
    std::size_t bytes() const { return *record ? (*record)->size() : 0; }
    struct Write {
      std::uint64_t sequence = 0;
      std::uint64_t write = 0;
    };
    // To be settled by the commit of their sequence number or a later one.
    absl::InlinedVector<Write, 1> writes{};
    enum class State { out, waits, urgent };  // out: part of the batch that is out
    State state = State::out;
    bool acknowledged = false;  // a buffered write is part of it: it must not be lost
    bool refused = false;       // it is acknowledged, and its last commit has failed
  };
  // In the node of the map, where a search meets it: keys of the engine are short.
  using Key = absl::InlinedVector<char, 32>;
  static std::string_view view(const Key& key) { return {key.data(), key.size()}; }
  struct Less {
    using is_transparent = void;
    static std::string_view view(std::string_view key) { return key; }
    static std::string_view view(const Key& key) { return ObjectBuffer::view(key); }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return view(a) < view(b);
    }
  };
  using Entries = std::map<Key, Entry, Less, core::RecyclingAllocator<std::pair<const Key, Entry>>>;

 public:
  // Of a batch. The key is the entry's own: an entry stays where it is for as long as it is out.
  struct Item {
    std::string_view key{};
    Content record{};
    std::uint64_t sequence = 0;
    Entries::iterator entry{};
  };
  using Batch = std::vector<Item>;
  struct Found {
    std::string key{};
    Content record{};
  };

  explicit ObjectBuffer(core::TimePoint flush_interval) : flush_interval_(flush_interval) {}

  void put(core::WriteRecord write, core::TimePoint now);
  // What the buffer says of the record; null if it says nothing.
  Content find(std::string_view key) const;
  // The first `limit` entries from `from` on, in key order.
  std::vector<Found> range(std::string_view from, std::size_t limit) const;

  // In key order: what is due at once, or everything if something else is due or `all` is asked
  // for. Empty if nothing is due or a batch is out.
  Batch take(core::TimePoint now, bool all);
  // What became of the batch: returns the writes that it settles.
  std::vector<std::uint64_t> written(const Batch& batch);
  // The commit failed: what nothing has been acknowledged of is dropped, and its writes returned;
  // the rest stays, to be tried again at `retry`.
  std::vector<std::uint64_t> failed(const Batch& batch, core::TimePoint retry, std::string reason);
  // The commit failed, and there will be no other: as failed(), but of all batches to come as well,
  // and what stays waits for nothing.
  std::vector<std::uint64_t> abandoned();
  // Why the last commit failed, while something acknowledged waits for another try; else empty.
  std::string refusal() const;

  // When the next entry is due; TimePoint::max() if there is none or a batch is out.
  core::TimePoint due();
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  // What readers see, keys and records, is changed under mutex_ and the shard's own, and looked at
  // under one of them; the rest is mutex_'s.
  struct alignas(64) Shard {
    std::atomic<std::size_t> size{0};  // of entries, as a reader may see it without a lock
    mutable std::mutex mutex;
    Entries entries;
  };
  static constexpr std::size_t shard_count = 16;

  static std::size_t shard_of(std::string_view key);
  Shard& shard(std::string_view key) { return shards_[shard_of(key)]; }
  void make_urgent(Entries::iterator entry, core::TimePoint now);
  void make_wait(Entry& entry, core::TimePoint due);
  void drop(Entries::iterator at);
  static Item take_out(Entries::iterator entry);
  void take_all(Batch& batch);

  const core::TimePoint flush_interval_;
  std::array<Shard, shard_count> shards_;
  std::atomic<std::size_t> bytes_{0};

  mutable std::mutex mutex_;
  std::vector<Entries::iterator> urgent_;                 // guarded: those in that state
  core::TimePoint urgent_due_ = core::TimePoint::max();   // guarded: of the first of them
  core::TimePoint waiting_due_ = core::TimePoint::max();  // guarded: of those that wait, at latest
  std::uint64_t sequence_ = 0;                            // guarded
  bool batch_out_ = false;                                // guarded
  std::size_t refused_ = 0;                               // guarded: such entries
  std::string reason_;                                    // guarded: of the last commit that failed
};

}  // namespace dynamo::host

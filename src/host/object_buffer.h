#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "node/event.h"

namespace dynamo::host {

// The object buffer of the paper (6.1): the node's records that are newer than the engine's. Every
// write goes through it, and readers look here first.
//
// Records that some acknowledgement waits for are due at once, and a batch is whatever came in
// during the last commit: group commit, never timed. The others are due within the flush interval,
// so that a hot key is written to disk once for many puts.
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
// Thread safety: any thread.
class ObjectBuffer {
 public:
  // nullopt: erased. Shared, because a commit must not copy 64 MiB.
  using Content = std::shared_ptr<const std::optional<std::string>>;
  struct Item {
    std::string key{};
    Content record{};
    std::uint64_t sequence = 0;
  };
  using Batch = std::vector<Item>;

  explicit ObjectBuffer(core::TimePoint flush_interval) : flush_interval_(flush_interval) {}

  void put(core::WriteRecord write, core::TimePoint now);
  // What the buffer says of the record; null if it says nothing.
  Content find(std::string_view key) const;
  // The first `limit` entries from `from` on, in key order.
  Batch range(std::string_view from, std::size_t limit) const;

  // All entries that are due, in key order; everything if `all`. Empty if a batch is out.
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
  std::size_t bytes() const;

 private:
  struct Entry {
    Content record{};
    std::uint64_t sequence = 0;
    std::size_t bytes() const { return *record ? (*record)->size() : 0; }
    struct Write {
      std::uint64_t sequence = 0;
      std::uint64_t write = 0;
    };
    std::vector<Write>
        writes{};  // to be settled by the commit of their sequence number or a later one
    core::TimePoint due = core::TimePoint::max();  // max: part of the batch that is out
    bool acknowledged = false;  // a buffered write is part of it: it must not be lost
    bool refused = false;       // it is acknowledged, and its last commit has failed
  };

  using Entries = std::map<std::string, Entry, std::less<>>;
  void make_due(Entries::iterator at, core::TimePoint due);
  void drop(Entries::iterator at);

  const core::TimePoint flush_interval_;
  mutable std::mutex mutex_;
  Entries entries_;  // guarded
  using Due = std::pair<core::TimePoint, std::string>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>>
      due_;                     // guarded; may hold what is past
  std::size_t bytes_ = 0;       // guarded
  std::uint64_t sequence_ = 0;  // guarded
  bool batch_out_ = false;      // guarded
  std::size_t refused_ = 0;     // guarded: such entries
  std::string reason_;          // guarded: of the last commit that failed
};

}  // namespace dynamo::host

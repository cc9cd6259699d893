#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>

#include "base/time.h"
#include "host/content.h"
#include "host/record_table.h"
#include "host/unwritten.h"
#include "node/event.h"

namespace dynamo::host {

// The object buffer of the paper (6.1): the node's records that are newer than the engine's. Every
// write goes through it, and readers look here first. Records that the engine has too stay for as
// long as there is room for them, or come back when they are read (RecordTable).
//
// Records that some acknowledgement waits for are due at once, and a batch is whatever came in
// during the last commit: group commit, never timed. The others are due within the flush interval,
// and then all of them in a row: a hot key is written to disk once for many puts, and neighbours on
// disk in one commit. They are a sweep of several batches, each of which takes along what has
// become due at once. For an engine needs room and memory for all that a commit changes, and who
// waits for a synced record waits for the commit before it. A sweep goes backwards through the
// keys: what names a store is on disk before its objects are (RecordKind).
//
// A record may also be erased; until that is on disk too, the buffer says that it is gone.
//
// If a commit fails, what was acknowledged from memory stays, and is older than was promised when
// it gets to the disk. That cannot be helped; but for as long as it lasts, refusal() says why
// nothing more may be promised.
//
// Thread safety: any thread.
class ObjectBuffer {
 public:
  // Of a batch.
  struct Item {
    Content content{};
    std::uint64_t sequence = 0;
    Unwritten* unwritten = nullptr;  // which stays where it is for as long as it is out

    std::string_view key() const { return content.key(); }
  };
  using Batch = std::vector<Item>;

  static constexpr std::size_t part_bytes_usual = std::size_t{256} << 10;

  // `known_bytes_max`: of records that the engine has too. `part_bytes_min`: of the batches of a
  // sweep, which are about eight, but not of less than that. `readers`: as RecordTable has them.
  explicit ObjectBuffer(core::TimePoint flush_interval, std::size_t known_bytes_max = 0,
                        std::size_t part_bytes_min = part_bytes_usual,
                        ReadSections* readers = nullptr)
      : flush_interval_(flush_interval),
        part_bytes_min_(part_bytes_min),
        table_(known_bytes_max, readers) {}
  ~ObjectBuffer();
  ObjectBuffer(const ObjectBuffer&) = delete;
  ObjectBuffer& operator=(const ObjectBuffer&) = delete;

  // Returns due().
  core::TimePoint put(core::WriteRecord write, core::TimePoint now);

  // As RecordTable has them.
  RecordTable::Found look(std::uint64_t hash, std::string_view key,
                          absl::FunctionRef<void(std::string_view)> visit) const {
    return table_.look(hash, key, visit);
  }
  void tidy() { table_.tidy(); }
  RecordTable::Answer read(std::uint64_t hash, std::string_view key,
                           absl::FunctionRef<void(std::string_view)> visit) const {
    return table_.read(hash, key, visit);
  }
  void keep(std::uint64_t hash, std::string_view key, std::string_view record,
            std::uint64_t stamp) {
    table_.keep(hash, key, record, stamp);
  }
  void prefetch(std::span<const core::ObjectKeyBytes> keys) const { table_.prefetch(keys); }
  // The first `limit` that are newer than the engine's from `from` on, in key order.
  std::vector<Content> range(std::string_view from, std::size_t limit) const;

  // In key order: what is due at once, and of the others the next part of a sweep, which begins
  // when one of them is due. With `all` everything, and so in one commit. Empty if nothing is due
  // or a batch is out.
  Batch take(core::TimePoint now, bool all);
  // A sweep is due.
  void hurry();
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
  core::TimePoint due() const;
  // Of what is newer than the engine's.
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  using State = Unwritten::State;

  core::TimePoint next_due() const;
  void make_urgent(Unwritten& record, core::TimePoint now);
  void make_wait(Unwritten& record, core::TimePoint due);
  static Item take_out(Unwritten& record);
  void take_part(Batch& batch);
  void end_sweep();
  void forget(Unwritten& record);
  void drop(const std::vector<Unwritten*>& records);
  std::unique_ptr<Unwritten> take_spare();
  void give_spare(std::unique_ptr<Unwritten> spare);

  const core::TimePoint flush_interval_;
  const std::size_t part_bytes_min_;
  std::atomic<std::size_t> bytes_{0};

  mutable std::mutex mutex_;
  RecordTable table_;                                     // guarded, but for its readers
  KeyOrder order_;                                        // guarded: all that is unwritten
  std::vector<Unwritten*> urgent_;                        // guarded: those in that state
  core::TimePoint urgent_due_ = core::TimePoint::max();   // guarded: of the first of them
  core::TimePoint waiting_due_ = core::TimePoint::max();  // guarded: of those that wait, at latest,
                                                          // but for what a sweep will come to
  std::size_t part_bytes_ = 0;                            // guarded: of a sweep; 0: there is none
  std::optional<std::string> swept_to_;                   // guarded: the last key it has taken
  std::uint64_t sequence_ = 0;                            // guarded
  bool batch_out_ = false;                                // guarded
  std::size_t refused_ = 0;                               // guarded: such entries
  std::string reason_;                                    // guarded: of the last commit that failed
  std::vector<std::unique_ptr<Unwritten>> spare_;         // guarded: for those to come
};

}  // namespace dynamo::host

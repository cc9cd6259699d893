#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/container/btree_map.h>
#include <dynamo/storage_engine.h>

#include "base/process_generation.h"
#include "storage/write_ahead_log.h"

namespace dynamo::storage {

// An engine with a log in front of it. A tree that copies pages writes a page or two of 4 KiB for
// every record of a small batch, and syncs twice; a log writes the records, and syncs once. So
// small batches go to the log, and to the engine all at once when the log has reached its limit, or
// before a large batch that has a key of it; what is in the log is in memory, too, and found there.
//
//   write(small) --> log, synced --> tail (memory)          read, scan: tail, then engine
//                                     |  the log is full, a large batch has a key of it, or the end
//                                     v
//   write(large) -------------------> engine, synced --> clear the log
//
// While the log has a key, the engine's record of it is older than the log's last, or the same: of
// such keys the engine gets what is in the log and nothing else, and then the log is cleared,
// before anything newer is written. So to replay the log twice, or after the engine has it, changes
// nothing, and after a crash between the two it does not matter how far they got.
//
// Thread safety: as StorageEngine.
class LoggedEngine final : public StorageEngine {
 public:
  struct Limits {
    std::size_t at_least = 0;  // bytes of the log while `engine` is small
    std::size_t at_most = 0;
    std::size_t part_of_engine = 1;  // else the engine's bytes over this
    std::size_t part_at_least = 0;   // bytes of records that the engine gets at once
  };
  // `bytes_of_engine`: what it takes on the disk; asked by the writing thread.
  static absl::StatusOr<std::unique_ptr<StorageEngine>> open(
      std::unique_ptr<StorageEngine> engine, std::filesystem::path directory, Limits limits,
      std::size_t (*bytes_of_engine)(const std::filesystem::path& directory));

  // What is in the log goes to the engine if it can: then nothing but the engine is needed to read
  // the data again.
  ~LoggedEngine() override;

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view record)> visit) override;
  absl::Status write(std::span<const Write> batch) override;
  absl::Status scan(
      std::string_view from,
      absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) override;

 private:
  // Views into entries_.
  using Tail = absl::btree_map<std::string_view, std::optional<std::string_view>>;

  LoggedEngine(std::unique_ptr<StorageEngine> engine, std::filesystem::path directory,
               Limits limits, std::size_t (*bytes_of_engine)(const std::filesystem::path&),
               WriteAheadLog log);

  bool in_child() const { return generation_ != core::process_generation(); }
  std::shared_lock<std::shared_mutex> lock_for_reading() const;
  void find_limit();
  bool is_small(std::size_t bytes) const { return bytes <= limit_ / 4; }
  absl::Status write_to_engine(std::span<const Write> batch);
  absl::Status move_to_engine();
  absl::Status write_in_parts(std::span<const Write> writes, std::size_t at_least);
  void forget_tail();
  bool add_to_tail(std::string entry);
  absl::Status failed_error() const;

  const std::unique_ptr<StorageEngine> engine_;
  const std::filesystem::path directory_;
  const Limits limits_;
  std::size_t (*const bytes_of_engine_)(const std::filesystem::path&);
  const std::uint64_t generation_;  // of the process that opened it

  // Of the writing thread.
  WriteAheadLog log_;
  std::size_t limit_ = 0;
  bool failed_ = false;

  // A writer holds the turnstile while it waits: readers who keep coming would starve it.
  mutable std::mutex turnstile_;
  mutable std::shared_mutex mutex_;
  Tail tail_;                        // guarded; changed by the writing thread only
  std::deque<std::string> entries_;  // guarded, as tail_
  std::atomic<bool> empty_{true};    // the tail; a reader need not lock to see that
};

}  // namespace dynamo::storage

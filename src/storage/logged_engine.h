#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/storage_engine.h>

#include "base/process_generation.h"
#include "storage/log_tail.h"
#include "storage/write_ahead_log.h"

namespace dynamo::storage {

// An engine with a log in front of it. A tree that copies pages writes a page or two of 4 KiB for
// every record of a small batch, and syncs twice; a log writes the records, and syncs once. So
// small batches go to the log, and from there many at once to the engine. What is in the log is
// read there, where the system keeps it in memory; an index of its keys is in our own.
//
// There are two logs. When the young one, which all is written to, has reached its limit, it is the
// old one and the other, empty by then, is young; with what is written from here on, the old one
// moves to the engine, in parts: nobody waits for more than one of them.
//
//   write(small) --> young log, synced --> its tail         read: young tail, old tail, engine
//                        | it is full, and becomes
//                        v
//                    old log and tail --> engine, a part with every few writes; then cleared
//
//   write(large) ---------------------> engine, synced; both logs before, if they have a key of it
//
// The larger a log, the more of its records share a page of the engine. So it stays when the engine
// is closed, unless it is short, and is read when it is opened again.
//
// While a log has a key, the engine's record of it is older than the log's last, or the same: of
// such keys the engine gets what is in the logs and nothing else, the old one's before the young
// one's, and a log is cleared when the engine has all of it and of what is older. So to replay them
// again, the old one first, changes nothing, and after a crash it does not matter how far they got.
//
// Thread safety: as StorageEngine.
class LoggedEngine final : public StorageEngine {
 public:
  static constexpr std::array<const char*, 2> file_names = {"write_ahead.log", "write_ahead_2.log"};

  struct Limits {
    std::size_t at_least = 0;  // bytes of a log while `engine` is small
    std::size_t at_most = 0;
    std::size_t part_of_engine = 1;      // else the engine's bytes over this
    std::size_t small_batch = SIZE_MAX;  // what is larger goes to the engine
    std::size_t part_at_least = 0;       // bytes of records that the engine gets at once
    std::size_t part_at_most = SIZE_MAX;
    std::size_t at_stop = SIZE_MAX;  // bytes in both that go to the engine when it is closed
  };
  // `bytes_of_engine`: what it takes on the disk; asked by the writing thread.
  static absl::StatusOr<std::unique_ptr<StorageEngine>> open(
      std::unique_ptr<StorageEngine> engine, std::filesystem::path directory, Limits limits,
      std::size_t (*bytes_of_engine)(const std::filesystem::path& directory));

  ~LoggedEngine() override;

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view record)> visit) override;
  absl::Status write(std::span<const Write> batch) override;
  absl::Status scan(
      std::string_view from,
      absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) override;

 private:
  struct Generation {
    WriteAheadLog log;  // of the writing thread
    LogTail tail;       // guarded; changed by the writing thread only
  };
  // Records on their way to the engine. Erases first, for what follows may need the room that they
  // make; and in more than one commit, for LMDB has it only then.
  struct Move {
    const LogTail::Records* records = nullptr;  // do not change; none: there is nothing to move
    LogTail::Records::const_iterator next{};
    bool erases = true;  // else puts
    std::size_t erases_a_part = 1;
    std::size_t part_bytes = 1;  // of puts
    std::size_t done = 0;        // of the records
  };
  using Generations = std::array<std::unique_ptr<Generation>, 2>;  // the old one, the young one

  LoggedEngine(std::unique_ptr<StorageEngine> engine, std::filesystem::path directory,
               Limits limits, std::size_t (*bytes_of_engine)(const std::filesystem::path&),
               Generations generations);

  bool in_child() const { return generation_ != core::process_generation(); }
  bool may_be_logged(std::string_view key) const;
  std::shared_lock<std::shared_mutex> lock_for_reading() const;
  Generation& old() const { return *generations_[0]; }
  Generation& young() const { return *generations_[1]; }
  bool is_logged(std::string_view key) const;
  // How long a log gets.
  static std::size_t limit_of(const Limits& limits, std::size_t bytes_of_engine);
  bool is_small(std::size_t bytes) const {
    return bytes <= std::min(limit_ / 4, limits_.small_batch);
  }
  // Of the young log, so many bytes more included; 1: it is full.
  double fullness(std::size_t more) const;
  absl::Status write_to_engine(std::span<const Write> batch);
  // The young log becomes the old one.
  absl::Status turn();
  // Some of the old log, for so many bytes that come into the young one.
  absl::Status move_some(std::size_t bytes);
  void start_move();
  // So many records of the old log, or a few more; the last clears it.
  absl::Status move_old(std::size_t records);
  // Both logs.
  absl::Status move_all();
  // REQUIRES: the records stay; `bytes` of the log that they are in.
  Move move_of(const LogTail::Records& records, std::size_t erases, std::size_t bytes) const;
  // Until so many of its records are done, or a few more.
  absl::Status go_on(Move& move, std::size_t until);
  // What comes next; where that ends is next then.
  std::vector<Write> take_part(Move& move) const;
  absl::Status clear(Generation& generation);
  // Of a later epoch than both from here on.
  absl::Status clear_log(Generation& generation);
  absl::Status failed_error() const;

  const std::unique_ptr<StorageEngine> engine_;
  const std::filesystem::path directory_;
  const Limits limits_;
  std::size_t (*const bytes_of_engine_)(const std::filesystem::path&);
  const std::uint64_t generation_;  // of the process that opened it

  // Of the writing thread.
  std::size_t limit_ = 0;
  Move move_{};                 // of the old log
  double full_at_start_ = 0.0;  // the young one, when that began
  bool failed_ = false;

  // A writer holds the turnstile while it waits: readers who keep coming would starve it.
  mutable std::mutex turnstile_;
  mutable std::shared_mutex mutex_;
  // Which is which is guarded, too; the two themselves stay as long as the engine.
  Generations generations_;
  const std::array<const LogTail*, 2> tails_;  // of the two, whichever is which
};

}  // namespace dynamo::storage

#include <dynamo/storage/lmdb.h>

#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/process_generation.h"
#include "storage/data_directory.h"
#include "storage/directory_lock.h"
#include "storage/limits.h"
#include "storage/lmdb_environment.h"
#include "storage/lmdb_handles.h"
#include "storage/lmdb_readers.h"
#include "storage/logged_engine.h"

// What a failed write means is the whole difficulty of this file, for LMDB's error codes do not
// say. A commit (mdb_txn_commit in mdb.c, the same from 0.9.24 to 0.9.31) does four things:
//
//   1. saves the list of free pages: MDB_MAP_FULL, MDB_TXN_FULL, ENOMEM;
//   2. writes the new pages, to places that nothing refers to: the errno of a write that wrote
//      nothing, but EIO for one that wrote a part, as the first does that finds the disk full;
//   3. fdatasync: its errno, EIO too;
//   4. writes the meta page through a descriptor that is O_DSYNC: its errno, EIO too, after which
//      every transaction is refused with MDB_PANIC, reads included. LMDB has written the old meta
//      page back by then; so we open the file a second time, and read on there.
//
// Putting into the transaction may do 2 early, when it holds very many pages ("spilling").
//
// After 1 and 2 nothing has changed, and the same batch may be tried again once there is room:
// RESOURCE_EXHAUSTED. After 3 and 4 it is unknown what the disk holds. Linux drops the pages it
// could not write and reports it once, so that trying again would seem to succeed. That is
// DATA_LOSS, and the engine writes no more. (LMDB's order would make going on after 3 safe; but a
// disk that fails a sync is not one to acknowledge writes on.)
//
// To tell 2 from 3: a partial write stops at the byte that the file system had no room for, so it
// has no room for one more now. We ask it, by writing a page past the end of the file, which
// belongs to nothing. If it takes the page, it was a sync that failed. A wrong answer is no danger:
// if another process made or took room in between, we stop needlessly, or we go on after a failed
// sync of pages that nothing refers to.
namespace dynamo {
namespace {

using storage::ReaderPool;

class LmdbEngine final : public StorageEngine {
 public:
  LmdbEngine(storage::OpenEnvironment opened, std::size_t map_bytes_max)
      : map_bytes_max_(map_bytes_max),
        opened_(std::move(opened)),
        generation_(core::process_generation()),
        readers_(opened_.environment.get()) {}

  // A child of fork must not call LMDB. What its copy of the handles holds is lost memory.
  ~LmdbEngine() override {
    if (!in_child()) return;
    readers_.abandon();
    [[maybe_unused]] MDB_env* lost = opened_.environment.release();
    if (remains_ == nullptr) return;
    remains_->readers.abandon();
    lost = remains_->opened.environment.release();
  }

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view record)> visit) override {
    if (in_child()) return child_error();
    if (absl::Status valid = storage::check_key(key); !valid.ok()) return valid;
    const int error = reading([&](MDB_txn* transaction, MDB_dbi database) {
      return storage::LmdbRecords::find(transaction, database, key, visit);
    });
    if (error == MDB_NOTFOUND) return false;
    if (error != 0) return read_failed(error);
    return true;
  }

  absl::Status write(std::span<const Write> batch) override {
    if (in_child()) return child_error();
    if (failed_.load(std::memory_order_acquire)) return failed_error();
    if (absl::Status valid = storage::check_batch(batch); !valid.ok()) return valid;
    if (batch.empty()) return absl::OkStatus();
    int error = commit(batch);
    while (error == MDB_MAP_FULL) {
      const absl::StatusOr<bool> grown = grow();
      if (!grown.ok()) return grown.status();
      if (!*grown) break;
      error = commit(batch);
    }
    if (error != 0) return write_failed(error);
    // A tool that was killed while it looked at the database has left a slot, which would hold
    // pages for ever.
    if (++commits_ % commits_between_reader_checks == 0) {
      mdb_reader_check(opened_.environment.get(), nullptr);
    }
    return absl::OkStatus();
  }

  absl::Status scan(
      std::string_view from,
      absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) override {
    if (in_child()) return child_error();
    const int error = reading([&](MDB_txn* transaction, MDB_dbi database) {
      return storage::LmdbRecords::scan(transaction, database, from, visit);
    });
    return error == 0 ? absl::OkStatus() : read_failed(error);
  }

 private:
  static constexpr std::uint64_t commits_between_reader_checks = 16;

  bool in_child() const { return generation_ != core::process_generation(); }

  absl::Status child_error() const {
    return absl::FailedPreconditionError(
        fmt::format("the storage engine of {} belongs to the parent process: open after fork, not "
                    "before",
                    opened_.path.string()));
  }

  absl::Status failed_error() const {
    return absl::DataLossError(
        fmt::format("the storage engine of {} has failed before and takes no more writes: check "
                    "the disk, then open it anew",
                    opened_.path.string()));
  }

  // What is read when LMDB refuses all transactions: the same file, opened a second time.
  struct Remains {
    explicit Remains(storage::ReadOnlyEnvironment read_only)
        : opened(std::move(read_only)), readers(opened.environment.get()) {}

    storage::ReadOnlyEnvironment opened;
    ReaderPool readers;
  };

  // Calls read(transaction, database) in a transaction of its own. What it returns, or the error of
  // LMDB that prevented it.
  template <class Read>
  int reading(const Read& read) {
    if (!dead_.load(std::memory_order_acquire)) {
      ReaderPool::Reader reader(readers_);
      const int error = reader.begin();
      if (error == 0) return read(reader.get(), opened_.database);
      if (error != MDB_PANIC) return error;
    }
    Remains* remains = nullptr;
    if (const int error = open_remains(remains); error != 0) return error;
    ReaderPool::Reader reader(remains->readers);
    const int error = reader.begin();
    return error == 0 ? read(reader.get(), remains->opened.database) : error;
  }

  int open_remains(Remains*& remains) {
    const std::lock_guard<std::mutex> lock(remains_mutex_);
    if (remains_ == nullptr) {
      // The transaction that is refused is the proof that no other can write.
      failed_.store(true, std::memory_order_release);
      storage::ReadOnlyEnvironment opened;
      if (const int error = storage::open_read_only(opened_, opened); error != 0) return error;
      remains_ = std::make_unique<Remains>(std::move(opened));
      dead_.store(true, std::memory_order_release);
    }
    remains = remains_.get();
    return 0;
  }

  absl::StatusOr<bool> grow() {
    const ReaderPool::Hold hold(readers_);
    absl::StatusOr<bool> grown = storage::grow_map(opened_, map_bytes_max_);
    if (grown.ok()) return grown;
    readers_.close();
    return fail(std::string(grown.status().message()));
  }

  // LMDB's error or 0; on an error nothing was changed, but see the top of the file.
  int commit(std::span<const Write> batch) {
    storage::WriteTransaction transaction;
    if (const int error = transaction.begin(opened_.environment.get()); error != 0) return error;
    for (const Write& write : batch) {
      storage::LmdbRecords& records = opened_.records;
      const int error =
          write.record ? records.put(transaction.get(), opened_.database, write.key, *write.record)
                       : records.erase(transaction.get(), opened_.database, write.key);
      if (error != 0) return error;
    }
    const int error = transaction.commit();
    if (error == 0) opened_.records.committed();
    return error;
  }

  absl::Status write_failed(int error) {
    const std::string path = opened_.path.string();
    switch (error) {
      case MDB_MAP_FULL:
        return absl::ResourceExhaustedError(fmt::format(
            "the storage engine of {} is full: its map holds {} bytes, {}", path, opened_.map_bytes,
            opened_.map_bytes < map_bytes_max_ ? "and there is no more address space"
                                               : "set map_bytes_max higher"));
      case MDB_TXN_FULL:
        return absl::ResourceExhaustedError(fmt::format(
            "a batch for the storage engine of {} is too large: write less at once", path));
      case ENOMEM:
        return absl::ResourceExhaustedError(
            fmt::format("the storage engine of {} is out of memory", path));
      case EIO:
      case ENOSPC:
      case EDQUOT:
      case EFBIG:
        if (const int refusal = panicked() ? 0 : room_refused(); refusal != 0) {
          return absl::ResourceExhaustedError(
              fmt::format("the storage engine of {} cannot grow its file: {}", path,
                          storage::error_text(refusal)));
        }
        return fail("syncing to the disk failed", error);
      default:
        return fail("writing failed", error);
    }
  }

  absl::Status read_failed(int error) {
    if (error == ENOMEM || error == MDB_READERS_FULL) {
      return absl::ResourceExhaustedError(
          fmt::format("the storage engine of {} cannot read now: {}", opened_.path.string(),
                      mdb_strerror(error)));
    }
    return fail("reading failed", error);
  }

  absl::Status fail(std::string_view what, int error) {
    return fail(fmt::format("{}: {}", what, storage::lmdb_error_text(error)));
  }

  absl::Status fail(const std::string& what) {
    failed_.store(true, std::memory_order_release);
    return absl::DataLossError(
        fmt::format("the storage engine of {} has failed: {}", opened_.path.string(), what));
  }

  // Whether a meta page could not be written.
  bool panicked() const {
    storage::WriteTransaction probe;
    return probe.begin(opened_.environment.get()) == MDB_PANIC;
  }

  // The error with which the file system refuses to make the file longer, or 0 if it does not.
  int room_refused() const {
    static constexpr std::array<char, 4096> page{};
    int fd = -1;
    struct stat facts {};
    if (mdb_env_get_fd(opened_.environment.get(), &fd) != 0 || fstat(fd, &facts) != 0) return 0;
    const ssize_t size = pwrite(fd, page.data(), page.size(), facts.st_size);
    if (size == static_cast<ssize_t>(page.size())) return 0;
    if (size >= 0) return ENOSPC;
    const int error = errno;
    return storage::is_no_room(error) ? error : 0;
  }

  // Constant after construction, but for its map, which grows while readers_ is held.
  const std::size_t map_bytes_max_;
  storage::OpenEnvironment opened_;
  const std::uint64_t generation_;

  // Of the writing thread.
  std::uint64_t commits_ = 0;

  // Shared.
  std::atomic<bool> failed_{false};
  ReaderPool readers_;
  std::atomic<bool> dead_{false};  // LMDB refuses all transactions; remains_ is there
  std::mutex remains_mutex_;
  std::unique_ptr<Remains> remains_;  // guarded; constant once it is there
};

// Two thousand records of 200 bytes: 10 MB of pages, where each lies on a page of its own.
constexpr std::size_t part_of_log_max = std::size_t{512} << 10;
// What LMDB writes in one commit about as well as a log would.
constexpr std::size_t small_batch_max = std::size_t{4} << 20;
// Moves in about a second, wherever its records lie.
constexpr std::size_t log_at_stop_max = std::size_t{8} << 20;

std::size_t bytes_of_database(const std::filesystem::path& directory) {
  std::error_code missing;
  const std::uintmax_t bytes = std::filesystem::file_size(directory / "data.mdb", missing);
  return missing ? 0 : static_cast<std::size_t>(bytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StorageEngine>> lmdb_storage(LmdbOptions options) {
  absl::StatusOr<storage::OpenEnvironment> opened = storage::open_environment(options);
  if (!opened.ok()) return opened.status();
  return storage::LoggedEngine::open(
      std::make_unique<LmdbEngine>(*std::move(opened), options.map_bytes_max), options.path,
      {.at_least = std::min(options.log_bytes_max, storage::log_bytes_min),
       .at_most = options.log_bytes_max,
       .part_of_engine = 8,
       .small_batch = small_batch_max,
       .part_at_least = storage::log_bytes_min / 4,
       .part_at_most = part_of_log_max,
       .at_stop = log_at_stop_max},
      bytes_of_database);
}

}  // namespace dynamo

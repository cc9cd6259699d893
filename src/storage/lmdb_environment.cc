#include "storage/lmdb_environment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "storage/data_directory.h"
#include "storage/lmdb_readers.h"

namespace dynamo::storage {
namespace {

constexpr std::size_t map_bytes_min = std::size_t{1} << 20;
constexpr std::size_t map_bytes_unit = std::size_t{1} << 16;  // a multiple of every page size

absl::Status open_error(const std::filesystem::path& path, int error) {
  if (error > 0) return directory_error("cannot open the database in", path, error);
  return absl::DataLossError(fmt::format("{} is not a database that can be read: {}",
                                         (path / "data.mdb").string(), lmdb_error_text(error)));
}

// LMDB makes its lock file as a hole and writes to it through a map: on a full disk that is a
// SIGBUS. So we make it first, of the size that LMDB computes (128 bytes of header, 64 a slot), and
// a full disk is an error.
absl::Status make_lock_file(const Descriptor& directory, const std::filesystem::path& path) {
  const std::filesystem::path file = path / "lock.mdb";
  const Descriptor lock(
      openat(directory.get(), "lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.get() < 0) return directory_error("cannot open", file, errno);
  const int error = posix_fallocate(lock.get(), 0, 64 * ReaderPool::slots + 128);
  return error == 0 ? absl::OkStatus() : directory_error("cannot allocate", file, error);
}

// LMDB makes a new file in place, and does not sync it. A power cut in the midst leaves a file that
// is no database, which would be refused for ever. So a new one is made under another name, and
// gets its own once it is whole and on the disk. Returns an error of LMDB or 0.
int make_data_file(const Descriptor& directory, const std::filesystem::path& path) {
  struct stat facts {};
  const bool exists = fstatat(directory.get(), "data.mdb", &facts, AT_SYMLINK_NOFOLLOW) == 0;
  // What else may be wrong with it, opening it will say.
  if (exists && !(S_ISREG(facts.st_mode) && facts.st_size == 0)) return 0;
  if (!exists && errno != ENOENT) return 0;
  constexpr const char* unfinished = "data.mdb.new";
  if (unlinkat(directory.get(), unfinished, 0) != 0 && errno != ENOENT) return errno;
  {
    MDB_env* made = nullptr;
    if (const int error = mdb_env_create(&made); error != 0) return error;
    const Environment environment(made);
    // Nobody else has it: we hold the lock of the directory.
    constexpr unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK;
    int error = mdb_env_open(made, (path / unfinished).c_str(), flags, 0600);
    if (error == 0) error = mdb_env_sync(made, 1);
    if (error != 0) return error;
  }
  if (renameat(directory.get(), unfinished, directory.get(), "data.mdb") != 0) return errno;
  return 0;
}

// LMDB leaves its data descriptor open across exec. An exec between its open and this call, in
// another thread, still inherits it: LMDB offers no way to close that gap.
int close_on_exec(MDB_env* environment) {
  int fd = -1;
  if (const int error = mdb_env_get_fd(environment, &fd); error != 0) return error;
  const int flags = fcntl(fd, F_GETFD);
  if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0) return errno;
  return 0;
}

// A file may end before its last page: LMDB does not write pages that were freed in the transaction
// that took them. But it may also have been cut off, by a copy that was not finished say, and a
// read past the end of a mapped file is a SIGBUS. A hole in place of what is missing costs nothing,
// and LMDB reports an empty page as corrupt.
int fill_to_last_page(MDB_env* environment) {
  int fd = -1;
  MDB_envinfo info{};
  MDB_stat shape{};
  struct stat facts {};
  if (const int error = mdb_env_get_fd(environment, &fd); error != 0) return error;
  if (const int error = mdb_env_info(environment, &info); error != 0) return error;
  if (const int error = mdb_env_stat(environment, &shape); error != 0) return error;
  if (fstat(fd, &facts) != 0) return errno;
  const auto bytes = static_cast<off_t>((info.me_last_pgno + 1) * shape.ms_psize);
  if (facts.st_size < bytes && ftruncate(fd, bytes) != 0) return errno;
  return 0;
}

// Opens the database, which LMDB makes if the file is empty, and reads both of its ends, so that a
// file with a header and no body is found now and not by the first request.
int open_database(MDB_env* environment, MDB_dbi& database, LmdbRecords& records) {
  MDB_txn* transaction = nullptr;
  if (const int error = mdb_txn_begin(environment, nullptr, MDB_RDONLY, &transaction); error != 0) {
    return error;
  }
  unsigned flags = 0;
  MDB_cursor* cursor = nullptr;
  MDB_val key{};
  MDB_val record{};
  int error = mdb_dbi_open(transaction, nullptr, 0, &database);
  if (error == 0) error = mdb_dbi_flags(transaction, database, &flags);
  // Duplicates, reverse keys: somebody else's database.
  if (error == 0 && flags != 0) error = MDB_INCOMPATIBLE;
  if (error == 0) error = mdb_cursor_open(transaction, database, &cursor);
  if (error == 0) error = mdb_cursor_get(cursor, &key, &record, MDB_FIRST);
  if (error == 0) error = mdb_cursor_get(cursor, &key, &record, MDB_LAST);
  if (cursor != nullptr) mdb_cursor_close(cursor);
  if (error == 0 || error == MDB_NOTFOUND) error = records.open(transaction, database);
  if (error != 0) {
    mdb_txn_abort(transaction);
    return error;
  }
  return mdb_txn_commit(transaction);  // keeps the handle of the database
}

// MDB_NOTLS: a read transaction belongs to its object, not to the thread. MDB_NORDAHEAD: keys are
// hashed, so neighbours on the disk are no neighbours in time. None of the faster modes: MDB_NOSYNC
// loses or corrupts data in a power cut, and with MDB_WRITEMAP a stray pointer of the application
// writes into the database, and a full disk is a SIGBUS.
constexpr unsigned normal = MDB_NOTLS | MDB_NORDAHEAD;

int open_once(const std::filesystem::path& path, std::size_t map_bytes, unsigned flags,
              Environment& environment) {
  MDB_env* made = nullptr;
  if (const int error = mdb_env_create(&made); error != 0) return error;
  environment.reset(made);
  int error = mdb_env_set_mapsize(made, map_bytes);
  if (error == 0) error = mdb_env_set_maxreaders(made, ReaderPool::slots);
  if (error == 0) error = mdb_env_open(made, path.c_str(), flags, 0600);
  return error;
}

// Reserving address space may be refused, by a limit of the process or by a checker like valgrind.
// A smaller map does as well until the data reach it.
int open_with_largest_map(const std::filesystem::path& path, OpenEnvironment& opened) {
  for (;;) {
    const int error = open_once(path, opened.map_bytes, normal, opened.environment);
    const bool refused = error == ENOMEM || error == EINVAL;
    if (!refused || opened.map_bytes / 2 < map_bytes_min) return error;
    opened.map_bytes /= 2;
  }
}

// The whole file is mapped, however small a map was asked for.
int read_map_bytes(MDB_env* environment, std::size_t& map_bytes) {
  MDB_envinfo info{};
  const int error = mdb_env_info(environment, &info);
  if (error == 0) map_bytes = info.me_mapsize;
  return error;
}

// LMDB unmaps before it maps anew, and has no way back: so it is asked for what was just free.
bool address_space_has_room(std::size_t bytes) {
  void* const found =
      mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (found == MAP_FAILED) return false;
  munmap(found, bytes);
  return true;
}

absl::Status check_sizes(const LmdbOptions& options) {
  const auto check = [&](std::string_view name, std::size_t bytes) {
    if (bytes >= map_bytes_min) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("LmdbOptions::{} for {} is {}, less than the least of {}", name,
                    options.path.string(), bytes, map_bytes_min));
  };
  if (absl::Status most = check("map_bytes_max", options.map_bytes_max); !most.ok()) return most;
  if (absl::Status first = check("map_bytes", options.map_bytes); !first.ok()) return first;
  const std::size_t log = options.log_bytes_max;
  if (log == 0 || (log >= log_bytes_min && log <= log_bytes_limit)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("LmdbOptions::log_bytes_max for {} is {}: 0, or from {} to {}",
                  options.path.string(), log, log_bytes_min, log_bytes_limit));
}

}  // namespace

std::string lmdb_error_text(int error) {
  return error > 0 ? error_text(error) : std::string(mdb_strerror(error));
}

int open_read_only(const OpenEnvironment& failed, ReadOnlyEnvironment& opened) {
  const unsigned flags = normal | MDB_RDONLY | MDB_NOLOCK;
  LmdbRecords unused;  // nothing is written
  int error = open_once(failed.path, map_bytes_min, flags, opened.environment);
  if (error == 0) error = close_on_exec(opened.environment.get());
  if (error == 0) error = open_database(opened.environment.get(), opened.database, unused);
  return error;
}

absl::StatusOr<bool> grow_map(OpenEnvironment& opened, std::size_t map_bytes_max) {
  if (opened.map_bytes >= map_bytes_max) return false;
  std::size_t more = std::min(opened.map_bytes, map_bytes_max - opened.map_bytes);
  while (more > 0 && !address_space_has_room(opened.map_bytes + more)) more /= 2;
  more -= more % map_bytes_unit;
  if (more == 0) return false;
  MDB_env* const environment = opened.environment.get();
  int error = mdb_env_set_mapsize(environment, opened.map_bytes + more);
  if (error == 0) error = read_map_bytes(environment, opened.map_bytes);
  if (error == 0) return true;
  return absl::DataLossError(
      fmt::format("mapping {} bytes failed: {}", opened.map_bytes + more, lmdb_error_text(error)));
}

absl::StatusOr<OpenEnvironment> open_environment(const LmdbOptions& options) {
  const std::filesystem::path& path = options.path;
  if (path.empty() || path.native().find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("LmdbOptions::path must name a directory");
  }
  if (absl::Status valid = check_sizes(options); !valid.ok()) return valid;
  absl::StatusOr<Descriptor> directory = open_data_directory(path);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<std::unique_ptr<DirectoryLock>> lock = DirectoryLock::acquire(*directory, path);
  if (!lock.ok()) return lock.status();
  if (absl::Status made = make_lock_file(*directory, path); !made.ok()) return made;

  OpenEnvironment opened{.path = path,
                         .lock = *std::move(lock),
                         .map_bytes = std::min(options.map_bytes, options.map_bytes_max)};
  int error = make_data_file(*directory, path);
  if (error == 0) error = open_with_largest_map(path, opened);
  MDB_env* const environment = opened.environment.get();
  if (error == 0) error = close_on_exec(environment);
  if (error == 0) error = fill_to_last_page(environment);
  if (error == 0) error = open_database(environment, opened.database, opened.records);
  if (error == 0) error = read_map_bytes(environment, opened.map_bytes);
  // Slots of processes that were killed; then what one of them had written and not synced.
  if (error == 0) error = mdb_reader_check(environment, nullptr);
  if (error == 0) error = mdb_env_sync(environment, 1);
  if (error != 0) return open_error(path, error);
  if (absl::Status synced = sync_directory(*directory, path); !synced.ok()) return synced;
  return opened;
}

}  // namespace dynamo::storage

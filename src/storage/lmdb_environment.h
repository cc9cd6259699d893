#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <dynamo/storage/lmdb.h>

#include "storage/directory_lock.h"
#include "storage/lmdb_handles.h"
#include "storage/lmdb_records.h"

// Opening: everything between a path and a database that can be used.
namespace dynamo::storage {

// Members in the order they must outlive each other: the directory is unlocked last.
struct OpenEnvironment {
  std::filesystem::path path{};
  std::unique_ptr<DirectoryLock> lock{};
  Environment environment{};
  MDB_dbi database = 0;
  LmdbRecords records{};      // of it
  std::size_t map_bytes = 0;  // what is reserved
};

// The least of LmdbOptions::log_bytes_max, but for 0.
inline constexpr std::size_t log_bytes_min = std::size_t{64} << 10;
inline constexpr std::size_t log_bytes_limit = std::size_t{1} << 30;

// As lmdb_storage().
absl::StatusOr<OpenEnvironment> open_environment(const LmdbOptions& options);

// A database that nobody writes any more.
struct ReadOnlyEnvironment {
  Environment environment{};
  MDB_dbi database = 0;
};

// Opens the database a second time, to be read only and without LMDB's locks: for an engine whose
// environment has failed. LMDB's own rule against opening a file twice in a process is about the
// locks, which the second opening leaves alone. LMDB's error or 0. REQUIRES: the caller owns the
// directory, and nobody writes to it from now on.
int open_read_only(const OpenEnvironment& failed, ReadOnlyEnvironment& opened);

// Reserves more address space, at most `map_bytes_max` in all: twice as much, or as much as there
// is. False if there is nothing to be had; an error of LMDB if the old map is gone and there is no
// new one, after which the environment must only be closed. REQUIRES: no transaction is under way.
absl::StatusOr<bool> grow_map(OpenEnvironment& opened, std::size_t map_bytes_max);

// The text of an LMDB or system error.
std::string lmdb_error_text(int error);

}  // namespace dynamo::storage

#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "storage/directory_lock.h"
#include "storage/lmdb_handles.h"

// Opening: everything between a path and a database that can be used.
namespace dynamo::storage {

// Members in the order they must outlive each other: the directory is unlocked last.
struct OpenEnvironment {
  std::filesystem::path path{};
  std::unique_ptr<DirectoryLock> lock{};
  Environment environment{};
  MDB_dbi database = 0;
  std::size_t map_bytes = 0;  // what was reserved: map_bytes_max, or less if that was refused
};

// As lmdb_storage().
absl::StatusOr<OpenEnvironment> open_environment(const std::filesystem::path& path,
                                                 std::size_t map_bytes_max);

// The text of an LMDB or system error.
std::string lmdb_error_text(int error);

}  // namespace dynamo::storage

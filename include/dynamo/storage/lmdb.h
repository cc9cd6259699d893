#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include <absl/status/statusor.h>
#include <dynamo/export.h>
#include <dynamo/storage_engine.h>

namespace dynamo {

struct LmdbOptions {
  // Required. A directory, made with mode 0700 if it is missing; it holds data.mdb and lock.mdb. On
  // a local disk: LMDB does not work on network file systems.
  std::filesystem::path path{};
  // How large the file may grow, in bytes. Address space, not disk: the file is as large as its
  // data. 64 GiB.
  std::size_t map_bytes_max = std::size_t{1} << 36;
};

// LMDB in its default, fully synced mode (traps H1-H3: its faster modes lose or corrupt data).
//
// FAILED_PRECONDITION if the directory is open already, in this process or another, with the
// directory named; INVALID_ARGUMENT for bad options; DATA_LOSS if the file is not a database.
DYNAMO_EXPORT absl::StatusOr<std::unique_ptr<StorageEngine>> lmdb_storage(LmdbOptions options);

}  // namespace dynamo

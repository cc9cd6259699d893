#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include <absl/status/statusor.h>
#include <dynamo/export.h>
#include <dynamo/storage_engine.h>

namespace dynamo {

// The settings of an LMDB engine.
struct LmdbOptions {
  // Required. A directory, made with mode 0700 if it is missing, as are its parents; it holds
  // data.mdb, lock.mdb, owner, write_ahead.log and write_ahead_2.log. On a local disk: LMDB does
  // not work on network file systems.
  std::filesystem::path path{};
  // How large the file may grow, in bytes; beyond it writes are refused with RESOURCE_EXHAUSTED. 1
  // MiB or more.
  std::size_t map_bytes_max = std::size_t{1} << 40;
  // Address space reserved at first, not disk: the file is as large as its data. Doubled whenever
  // they reach it, which waits for the reads under way and makes others wait for microseconds. 1
  // MiB or more. Most clients should leave this parameter alone.
  std::size_t map_bytes = std::size_t{1} << 30;
  // Small batches go to a log in front of the database: up to an eighth of its size, but 64 KiB at
  // least and this at most. Then they go on to the database in the order of their keys, a part with
  // every few batches, while a second log takes what comes. The logs hold one and a half times as
  // much at most, are mapped, and have an index in memory: 40 bytes for a record, half of what they
  // hold at the very most. 0: each batch goes to the database by itself; else 64 KiB to 1 GiB. The
  // more there are at once, the more of them share the pages of 4 KiB that the database writes; but
  // as much has to be erased of a database that is full before it takes anything new, and to open a
  // directory takes a third of a second for 64 MiB that were left in its logs.
  std::size_t log_bytes_max = std::size_t{64} << 20;
};

// LMDB in its default, fully synced mode: its faster modes lose or corrupt data. In front of it is
// a log, synced before a write returns; when the engine is closed it stays if it is longer than 8
// MiB, and to copy the data is to copy all files of the directory. Reads do not wait
// for the disk's writes. Once a sync has failed, all writes are refused with DATA_LOSS until
// the directory is opened anew; reads go on. After fork, an engine of the parent answers
// FAILED_PRECONDITION in the child.
//
// The file of a data set that is overwritten again and again stays within 1.5 times the pages that
// hold the data, and within 1.5 times the bytes of keys and records if these are of mixed sizes up
// to 50 KB, of about 4 KB, or of 8 KB and more. Pages have 4 KiB and hold whole records up to 2 KB
// in random order, and of larger ones what is over when their ends have filled pages: records of
// 300 bytes and of 1 KB take twice their bytes, those of 3 KB and 6 KB 1.65 times. The log comes on
// top. A batch that is too large for it needs room for all the pages that it changes twice over.
// The file never shrinks.
//
// Every error names the directory. FAILED_PRECONDITION if it is open already, in this process or
// another; INVALID_ARGUMENT for bad options, for a directory that cannot be used or is on a network
// file system; DATA_LOSS if the file is not a database; RESOURCE_EXHAUSTED if there is no room.
DYNAMO_EXPORT absl::StatusOr<std::unique_ptr<StorageEngine>> lmdb_storage(LmdbOptions options);

}  // namespace dynamo

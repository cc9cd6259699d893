#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/data_directory.h"

namespace dynamo::storage {

// A file of entries, each on the disk when append() returns, until all of them are cleared at once.
//
//   | head | ... | head | ... | entry | entry | entry | what was there before clear(), or zeros
//   0            4096         8192
//
// A head holds the epoch of the entries that count, and an entry that of the time it was written
// in. clear() writes a later epoch into the head that is not in force; whichever is whole and has
// the higher epoch is in force, so a torn one changes nothing. Of two logs of a directory the
// epochs say which one was begun later.
//
// The file grows by zeros that are written, not by holes: an entry then changes no metadata of the
// file system, and syncing it is one write of the disk. Only the last entry may be missing or torn
// after a crash, for none is written before the one in front of it is on the disk; an entry that
// cannot be read with others behind it has rotted, and that is an error. Entries are checked with
// XXH3 of everything in them.
//
// The file is mapped, so that what its entries hold need not be kept in memory: it is there, where
// the system has room for it.
//
// Thread safety: one thread at a time.
class WriteAheadLog {
 public:
  // At the front of a string that append() is called with.
  static constexpr std::size_t head_bytes = 32;
  // The file begins with two, each with a head.
  static constexpr std::size_t sector = 4096;

  // Of an entry that is there: it lies at `mapped` as well, until it is cleared.
  using Replay = absl::FunctionRef<void(std::string_view entry, const char* mapped)>;

  // Of no directory: another may be moved here.
  WriteAheadLog() = default;

  // Of a directory, in the file of that name, for entries of at most `bytes_max` at a time; calls
  // `replay` with those that are there, in order, each as it was appended. No file is made before
  // the first append(). DATA_LOSS if it cannot be read.
  static absl::StatusOr<WriteAheadLog> open(const std::filesystem::path& directory,
                                            std::string_view name, std::size_t bytes_max,
                                            Replay replay);

  // Makes room for an entry of `bytes`, head included. An error changes nothing and says nothing of
  // what append() would do. If there is no file yet, its entries will be of an epoch after
  // `epoch_before`. REQUIRES: bytes() and that are at most bytes_max.
  absl::Status reserve(std::size_t bytes, std::uint64_t epoch_before = 0);
  // Fills in the first head_bytes of `entry`, and may make it longer by up to 7 bytes. Returns
  // where it lies, until it is cleared. REQUIRES: reserve() was OK. RESOURCE_EXHAUSTED: the entry
  // is not there. DATA_LOSS: it is unknown whether it is, and nothing may be appended any more.
  absl::StatusOr<const char*> append(std::string& entry);
  // What comes now is of an epoch after `epoch_before`. RESOURCE_EXHAUSTED: all entries are there
  // still. DATA_LOSS: all are, or none, and nothing may be appended any more.
  absl::Status clear(std::uint64_t epoch_before = 0);
  // Gives the room of the file back, if there are no entries and it can be.
  void shrink();

  // Of the entries.
  std::size_t bytes() const { return end_ - first_entry; }
  // 0: there is no file.
  std::uint64_t epoch() const { return epoch_; }

 private:
  static constexpr std::size_t first_entry = 2 * sector;

  WriteAheadLog(std::filesystem::path directory, std::string_view name, std::size_t bytes_max)
      : directory_(std::move(directory)), path_(directory_ / name), bytes_max_(bytes_max) {}
  absl::Status load(Replay replay);
  // All that the file may ever hold; what is not there yet may not be looked at.
  absl::Status map(int fd);
  absl::Status read_file(std::string& contents) const;
  bool read_heads(std::string_view contents);
  // The length of the entry at `at`, or 0 if there is none with this number.
  std::size_t entry_at(std::string_view contents, std::size_t at, std::uint64_t sequence) const;
  bool entry_behind(std::string_view contents) const;
  absl::Status make_file(std::uint64_t epoch);
  std::string head() const;
  absl::Status no_room(int error) const;
  absl::Status failed(std::string_view what, int error) const;

  std::filesystem::path directory_;
  std::filesystem::path path_;
  std::size_t bytes_max_ = 0;
  Descriptor file_;
  Mapping mapped_;
  std::size_t file_bytes_ = 0;  // what is written, zeros included
  std::size_t end_ = first_entry;
  std::uint64_t epoch_ = 0;
  std::uint64_t sequence_ = 0;  // of the next entry, in this epoch
};

}  // namespace dynamo::storage

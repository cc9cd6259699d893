#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include <absl/status/statusor.h>

#include "storage/data_directory.h"

// One engine per directory. LMDB itself lets a process open one directory twice, and then closing
// either handle silently drops the locks of the other; and two processes may share one, which our
// nodes must not. So a directory has an owner, twice over:
//
//  - its file `owner` is flock'ed and holds the process id, for other processes;
//  - a table of this process, by the directory's device and inode, holds what is open here. This is
//    the one piece of global state in the library: the thing it guards is global to the process. It
//    also holds when somebody deletes `owner` from under us.
//
// flock rather than fcntl locks, since the latter are lost when any descriptor of the file in the
// process is closed, say by a backup routine of the application. The price is that a child made by
// fork shares the lock; a fork handler therefore closes the child's copy, lest a child that lives
// on keep its dead parent's directory locked.
namespace dynamo::storage {

// Ownership of a directory, given up with the object.
//
// Thread safety: acquire() from any thread.
class DirectoryLock {
 public:
  // FAILED_PRECONDITION, with the directory and the owner's process id if it is known, if somebody
  // owns it. REQUIRES: `directory` is `path`, open.
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> acquire(const Descriptor& directory,
                                                                const std::filesystem::path& path);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  DirectoryLock(dev_t device, ino_t inode);

  const dev_t device_;
  const ino_t inode_;
  const std::uint64_t generation_;
};

}  // namespace dynamo::storage

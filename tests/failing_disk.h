#pragma once

// A disk that fails under the real LMDB. A program that links failing_disk.cc has fdatasync and
// pwrite of its own, which come before those of the C library, for LMDB too, and fail when told.
namespace test {

enum class DiskFailure {
  none,
  sync,       // of the data: EIO
  meta_page,  // the last write of a commit: EIO
};

// From now on. Thread safety: any thread.
void fail_disk(DiskFailure which);
// How often something has failed since fail_disk().
int disk_failures();

// Within a scope.
class FailingDisk {
 public:
  explicit FailingDisk(DiskFailure which) { fail_disk(which); }
  ~FailingDisk() { fail_disk(DiskFailure::none); }
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;
};

}  // namespace test

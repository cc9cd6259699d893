#include "failing_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace {

std::atomic<test::DiskFailure> failure{test::DiskFailure::none};
std::atomic<int> failures{0};

int fail_with_eio() {
  ++failures;
  errno = EIO;
  return -1;
}

}  // namespace

namespace test {

void fail_disk(DiskFailure which) {
  failures = 0;
  failure = which;
}

int disk_failures() { return failures; }

}  // namespace test

extern "C" {
__attribute__((visibility("default"))) int fdatasync(int fd) {
  if (failure == test::DiskFailure::sync) return fail_with_eio();
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

// LMDB writes its meta pages, and nothing else, through a descriptor that is O_DSYNC.
__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void* bytes, size_t size,
                                                      off_t offset) {
  if (failure == test::DiskFailure::meta_page && (fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
    return fail_with_eio();
  }
  return syscall(SYS_pwrite64, fd, bytes, size, offset);
}
}

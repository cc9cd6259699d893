#include "failing_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdarg>
#include <cstring>
#include <mutex>

namespace test {
namespace {

namespace fs = std::filesystem;

// The plan. `armed` is looked at before anything else here has been made.
std::atomic<bool> armed{false};
struct Plan {
  std::mutex mutex;
  std::string directory;
  int number = 0;
  FailingHow how = FailingHow::io_error;
  int calls = 0;
  std::string failed;
};
Plan& plan() {
  static Plan& made = *new Plan;
  return made;
}

// Whether this call fails. `path`: what it is about.
bool fails(const char* call, const std::string& path) {
  Plan& p = plan();
  const std::lock_guard lock(p.mutex);
  if (path != p.directory && !path.starts_with(p.directory + "/")) return false;
  if (++p.calls != p.number) return false;
  const std::string name = path == p.directory ? "." : path.substr(p.directory.size() + 1);
  p.failed = std::string(call) + " " + name;
  return true;
}

std::string path_of(int fd) {
  std::array<char, 4096> path;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const auto size =
      static_cast<ssize_t>(syscall(SYS_readlink, link.c_str(), path.data(), path.size()));
  return size < 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(size));
}

std::string path_at(int directory, const char* name) {
  if (name[0] == '/' || directory == AT_FDCWD) return name;
  return path_of(directory) + "/" + name;
}

bool fails(const char* call, int fd) {
  if (!armed || fd < 0) return false;
  const int before = errno;
  const bool failing = fails(call, path_of(fd));
  errno = before;
  return failing;
}

// The end of a call that fails. `act` does it and may undo what would leak.
template <class Act>
long fail(Act act) {
  const FailingHow how = plan().how;
  if (how == FailingHow::done_io_error) act();
  errno = how == FailingHow::no_space ? ENOSPC : EIO;
  return -1;
}

template <class Act>
long perhaps(const char* call, int fd, Act act) {
  return fails(call, fd) ? fail(act) : act();
}

ssize_t write_parts(const char* call, int fd, const iovec* parts, int count, off_t offset) {
  const auto write = [&](const iovec* some, int many) {
    return offset < 0 ? syscall(SYS_writev, fd, some, many)
                      : syscall(SYS_pwritev, fd, some, many, offset, 0);
  };
  if (!fails(call, fd)) return write(parts, count);
  if (plan().how == FailingHow::lie) {
    ssize_t size = 0;
    for (int i = 0; i < count; ++i) size += static_cast<ssize_t>(parts[i].iov_len);
    return size;
  }
  if (plan().how != FailingHow::short_write) return fail([&] { write(parts, count); });
  if (count > 1) return write(parts, count / 2);
  const iovec half{parts->iov_base, parts->iov_len / 2};
  return write(&half, 1);
}

int open_at(int directory, const char* name, int flags, mode_t mode) {
  const auto open = [&] { return syscall(SYS_openat, directory, name, flags, mode); };
  if (!armed || !fails("open", path_at(directory, name))) return static_cast<int>(open());
  return static_cast<int>(fail([&] { syscall(SYS_close, open()); }));
}

}  // namespace

FailingCall::FailingCall(const fs::path& directory, int number, FailingHow how) {
  Plan& p = plan();
  p.directory = directory.string();
  p.number = number;
  p.how = how;
  p.calls = 0;
  p.failed.clear();
  armed = true;
}
FailingCall::~FailingCall() { armed = false; }

int FailingCall::calls() {
  const std::lock_guard lock(plan().mutex);
  return plan().calls;
}
std::string FailingCall::failed() {
  const std::lock_guard lock(plan().mutex);
  return plan().failed;
}

}  // namespace test

#define DYNAMO_INTERPOSED __attribute__((visibility("default")))

extern "C" {
DYNAMO_INTERPOSED int open(const char* name, int flags, ...) {
  std::va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return test::open_at(AT_FDCWD, name, flags, mode);
}
DYNAMO_INTERPOSED int open64(const char* name, int flags, ...) {
  std::va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return test::open_at(AT_FDCWD, name, flags, mode);
}
DYNAMO_INTERPOSED int openat(int directory, const char* name, int flags, ...) {
  std::va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return test::open_at(directory, name, flags, mode);
}

DYNAMO_INTERPOSED ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  const iovec part{const_cast<void*>(bytes), size};
  return test::write_parts("pwrite", fd, &part, 1, offset);
}
DYNAMO_INTERPOSED ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return test::write_parts("pwritev", fd, parts, count, offset);
}
DYNAMO_INTERPOSED ssize_t writev(int fd, const iovec* parts, int count) {
  return test::write_parts("writev", fd, parts, count, -1);
}
DYNAMO_INTERPOSED ssize_t write(int fd, const void* bytes, size_t size) {
  const iovec part{const_cast<void*>(bytes), size};
  return test::write_parts("write", fd, &part, 1, -1);
}

DYNAMO_INTERPOSED int fdatasync(int fd) {
  return static_cast<int>(
      test::perhaps("fdatasync", fd, [&] { return syscall(SYS_fdatasync, fd); }));
}
DYNAMO_INTERPOSED int fsync(int fd) {
  return static_cast<int>(test::perhaps("fsync", fd, [&] { return syscall(SYS_fsync, fd); }));
}
DYNAMO_INTERPOSED int ftruncate(int fd, off_t size) noexcept {
  return static_cast<int>(
      test::perhaps("ftruncate", fd, [&] { return syscall(SYS_ftruncate, fd, size); }));
}
// Returns its error.
DYNAMO_INTERPOSED int posix_fallocate(int fd, off_t offset, off_t size) {
  const long done = test::perhaps("posix_fallocate", fd,
                                  [&] { return syscall(SYS_fallocate, fd, 0, offset, size); });
  return done == 0 ? 0 : errno;
}
DYNAMO_INTERPOSED int renameat(int from_directory, const char* from, int to_directory,
                               const char* to) noexcept {
  const auto rename = [&] { return syscall(SYS_renameat, from_directory, from, to_directory, to); };
  return static_cast<int>(test::perhaps("renameat", from_directory, rename));
}
DYNAMO_INTERPOSED void* mmap(void* start, size_t size, int protection, int flags, int fd,
                             off_t offset) noexcept {
  const auto map = [&] { return syscall(SYS_mmap, start, size, protection, flags, fd, offset); };
  if (!test::fails("mmap", fd)) return reinterpret_cast<void*>(map());
  return reinterpret_cast<void*>(test::fail([&] { syscall(SYS_munmap, map(), size); }));
}
}

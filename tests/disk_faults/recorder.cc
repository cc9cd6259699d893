#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace test {
namespace {

namespace fs = std::filesystem;

Recorder* recorder = nullptr;

// The path of an open file, in the form that realpath() gives.
std::string path_of(int fd) {
  std::array<char, 4096> path;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = readlink(link.c_str(), path.data(), path.size());
  return size < 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(size));
}

std::string path_at(int directory, const char* name) {
  const fs::path path(name);
  if (path.is_absolute()) return path.string();
  return ((directory == AT_FDCWD ? fs::current_path() : fs::path(path_of(directory))) / path)
      .string();
}

std::string contents_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// Tells the recorder of what a call has done, and leaves errno alone.
template <class Tell>
void record(Tell tell) {
  if (recorder == nullptr) return;
  const int before = errno;
  tell(*recorder);
  errno = before;
}

ssize_t positioned_write(int fd, const void* bytes, size_t size, off_t offset) {
  const ssize_t written = syscall(SYS_pwrite64, fd, bytes, size, offset);
  record([&](Recorder& to) {
    if (written <= 0) return;
    to.wrote(fd, {static_cast<const char*>(bytes), static_cast<std::size_t>(written)},
             static_cast<std::uint64_t>(offset));
  });
  return written;
}

void record_parts(int fd, const iovec* parts, int count, ssize_t written, off_t offset) {
  record([&](Recorder& to) {
    if (written <= 0) return;
    std::string bytes;
    for (int i = 0; i < count; ++i) {
      bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    }
    bytes.resize(static_cast<std::size_t>(written));
    to.wrote(fd, bytes, static_cast<std::uint64_t>(offset));
  });
}

ssize_t gathering_write(int fd, const iovec* parts, int count, off_t offset) {
  const ssize_t written = syscall(SYS_pwritev, fd, parts, count, offset, 0);
  record_parts(fd, parts, count, written, offset);
  return written;
}

int truncate_to(int fd, off_t size) {
  const auto done = static_cast<int>(syscall(SYS_ftruncate, fd, size));
  if (done == 0) record([&](Recorder& to) { to.resized(fd, static_cast<std::uint64_t>(size)); });
  return done;
}

int sync_by(long call, int fd) {
  const auto done = static_cast<int>(syscall(call, fd));
  if (done == 0) record([&](Recorder& to) { to.synced(fd); });
  return done;
}

int rename_at(int from_directory, const char* from, int to_directory, const char* to) {
  const auto done = static_cast<int>(syscall(SYS_renameat, from_directory, from, to_directory, to));
  if (done == 0) {
    record([&](Recorder& tell) {
      tell.renamed(path_at(from_directory, from), path_at(to_directory, to));
    });
  }
  return done;
}

}  // namespace

Recorder::Recorder(const fs::path& directory, const std::vector<std::string>& names)
    : directory_(fs::canonical(directory).string()) {
  if (recorder != nullptr) throw std::logic_error("two recorders at a time");
  for (const std::string& name : names) {
    const fs::path path = fs::path(directory_) / name;
    files_.push_back({path.string(), fs::exists(path) ? fs::file_size(path) : 0});
  }
  recorder = this;
}

Recorder::~Recorder() { recorder = nullptr; }

Recorder::File* Recorder::find(const std::string& path) {
  const auto found = std::ranges::find(files_, path, &File::path);
  return found == files_.end() ? nullptr : &*found;
}

bool Recorder::beside(const std::string& path) {
  return path.starts_with(directory_ + "/") && find(path) == nullptr;
}

void Recorder::add(const File& file, FileEvent event) {
  event.file = static_cast<std::size_t>(&file - files_.data());
  events_.push_back(std::move(event));
}

void Recorder::wrote(int fd, std::string_view bytes, std::uint64_t offset) {
  const std::string path = path_of(fd);
  if (beside(path)) unsynced_.insert(path);
  File* const file = find(path);
  if (file == nullptr) return;
  file->bytes = std::max<std::uint64_t>(file->bytes, offset + bytes.size());
  add(*file, {.kind = FileEvent::Kind::write,
              .offset = offset,
              .bytes = std::string(bytes),
              .durable = (fcntl(fd, F_GETFL) & O_DSYNC) != 0});
}

void Recorder::resized(int fd, std::uint64_t bytes) {
  const std::string path = path_of(fd);
  if (beside(path)) unsynced_.insert(path);
  File* const file = find(path);
  if (file == nullptr) return;
  if (bytes < file->bytes) could_not_understand("ftruncate to less");
  file->bytes = bytes;
  add(*file, {.kind = FileEvent::Kind::resize, .offset = bytes});
}

void Recorder::synced(int fd) {
  const std::string path = path_of(fd);
  unsynced_.erase(path);
  if (const File* const file = find(path)) add(*file, {.kind = FileEvent::Kind::sync});
  if (path == directory_) events_.push_back({.kind = FileEvent::Kind::sync_directory});
}

void Recorder::renamed(const fs::path& from, const fs::path& to) {
  if (find(from.string()) != nullptr) could_not_understand("rename of the file");
  File* const file = find(to.string());
  if (file == nullptr) return;
  if (unsynced_.contains(from.string())) could_not_understand("rename of what was not synced");
  add(*file, {.kind = FileEvent::Kind::rename, .bytes = contents_of(to)});
  file->bytes = events_.back().bytes.size();
}

void Recorder::could_not_understand(std::string_view call) {
  not_understood_ += std::string(call) + "; ";
}

}  // namespace test

#define DYNAMO_INTERPOSED __attribute__((visibility("default")))

extern "C" {
DYNAMO_INTERPOSED ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return test::positioned_write(fd, bytes, size, offset);
}
DYNAMO_INTERPOSED ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) {
  return test::positioned_write(fd, bytes, size, offset);
}
DYNAMO_INTERPOSED ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return test::gathering_write(fd, parts, count, offset);
}
DYNAMO_INTERPOSED ssize_t pwritev64(int fd, const iovec* parts, int count, off_t offset) {
  return test::gathering_write(fd, parts, count, offset);
}

// At the descriptor's own place.
DYNAMO_INTERPOSED ssize_t writev(int fd, const iovec* parts, int count) {
  const ssize_t written = syscall(SYS_writev, fd, parts, count);
  if (written > 0) {
    test::record_parts(fd, parts, count, written, lseek(fd, 0, SEEK_CUR) - written);
  }
  return written;
}
DYNAMO_INTERPOSED ssize_t write(int fd, const void* bytes, size_t size) {
  const iovec part{const_cast<void*>(bytes), size};
  return writev(fd, &part, 1);
}

DYNAMO_INTERPOSED int ftruncate(int fd, off_t size) noexcept { return test::truncate_to(fd, size); }
DYNAMO_INTERPOSED int ftruncate64(int fd, off_t size) noexcept {
  return test::truncate_to(fd, size);
}
DYNAMO_INTERPOSED int fdatasync(int fd) { return test::sync_by(SYS_fdatasync, fd); }
DYNAMO_INTERPOSED int fsync(int fd) { return test::sync_by(SYS_fsync, fd); }
DYNAMO_INTERPOSED int rename(const char* from, const char* to) noexcept {
  return test::rename_at(AT_FDCWD, from, AT_FDCWD, to);
}
DYNAMO_INTERPOSED int renameat(int from_directory, const char* from, int to_directory,
                               const char* to) noexcept {
  return test::rename_at(from_directory, from, to_directory, to);
}

// Stores into a map are seen by nobody.
DYNAMO_INTERPOSED int msync(void* start, size_t size, int flags) {
  test::record([](test::Recorder& to) { to.could_not_understand("msync"); });
  return static_cast<int>(syscall(SYS_msync, start, size, flags));
}
}

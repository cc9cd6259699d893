#include "storage/directory_lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/process_generation.h"

namespace dynamo::storage {
namespace {

// The directories this process owns, each with its descriptor of `owner`.
struct OwnedDirectories {
  std::mutex mutex;
  std::map<std::pair<dev_t, ino_t>, int> owner_fds;  // guarded
};

// Never destroyed: an engine with static storage duration may outlive any order of destruction.
OwnedDirectories& owned_directories() {
  static OwnedDirectories& owned = *[] {
    auto* made = new OwnedDirectories;
    // The mutex is held across the fork, so that the child finds the table in order.
    const auto before = [] { owned_directories().mutex.lock(); };
    const auto in_parent = [] { owned_directories().mutex.unlock(); };
    const auto in_child = [] {
      OwnedDirectories& copy = owned_directories();
      for (const auto& [directory, fd] : copy.owner_fds) close(fd);
      copy.owner_fds.clear();
      copy.mutex.unlock();
    };
    if (pthread_atfork(before, in_parent, in_child) != 0) throw std::bad_alloc();
    return made;
  }();
  return owned;
}

absl::Status owned_error(const std::filesystem::path& path, const std::string& owner) {
  return absl::FailedPreconditionError(fmt::format(
      "the data directory {} is open already, {}: one engine per directory", path.string(), owner));
}

// What the owner wrote; it may be about to.
std::string owner_of(int fd) {
  std::array<char, 24> text{};
  const ssize_t size = pread(fd, text.data(), text.size() - 1, 0);
  const long pid = size > 0 ? std::strtol(text.data(), nullptr, 10) : 0;
  return pid > 0 ? fmt::format("by process {}", pid) : std::string("by another process");
}

// For the message of the next one only: without room on the disk the lock is as good.
void write_owner(int fd) {
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) != 0) return;
  [[maybe_unused]] const ssize_t size = pwrite(fd, pid.data(), pid.size(), 0);
}

absl::StatusOr<Descriptor> lock_owner_file(const Descriptor& directory,
                                           const std::filesystem::path& path) {
  const std::filesystem::path file = path / "owner";
  Descriptor owner(
      openat(directory.get(), "owner", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (owner.get() < 0) return directory_error("cannot open", file, errno);
  while (flock(owner.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return owned_error(path, owner_of(owner.get()));
    if (errno != EINTR) return directory_error("cannot lock", file, errno);
  }
  write_owner(owner.get());
  return owner;
}

}  // namespace

DirectoryLock::DirectoryLock(dev_t device, ino_t inode)
    : device_(device), inode_(inode), generation_(core::process_generation()) {}

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::acquire(
    const Descriptor& directory, const std::filesystem::path& path) {
  struct stat facts{};
  if (fstat(directory.get(), &facts) != 0) {
    return directory_error("cannot examine the data directory", path, errno);
  }
  const std::pair<dev_t, ino_t> key(facts.st_dev, facts.st_ino);
  OwnedDirectories& owned = owned_directories();
  const std::lock_guard<std::mutex> lock(owned.mutex);
  if (owned.owner_fds.contains(key)) {
    return owned_error(path, fmt::format("by this process ({})", getpid()));
  }
  absl::StatusOr<Descriptor> owner = lock_owner_file(directory, path);
  if (!owner.ok()) return owner.status();
  std::unique_ptr<DirectoryLock> acquired(new DirectoryLock(facts.st_dev, facts.st_ino));
  owned.owner_fds.emplace(key, owner->get());
  owner->release();
  return acquired;
}

DirectoryLock::~DirectoryLock() {
  // In a child the table was emptied, and the lock is still the parent's.
  if (generation_ != core::process_generation()) return;
  OwnedDirectories& owned = owned_directories();
  const std::lock_guard<std::mutex> lock(owned.mutex);
  const auto found = owned.owner_fds.find({device_, inode_});
  if (found == owned.owner_fds.end()) return;
  // An empty file names no owner. Unlocked by hand, lest a copy of the descriptor keep the lock.
  [[maybe_unused]] const int emptied = ftruncate(found->second, 0);
  flock(found->second, LOCK_UN);
  close(found->second);
  owned.owner_fds.erase(found);
}

}  // namespace dynamo::storage

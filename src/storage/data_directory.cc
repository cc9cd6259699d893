#include "storage/data_directory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace dynamo::storage {

namespace fs = std::filesystem;

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() { return std::exchange(fd_, -1); }

Mapping::~Mapping() {
  if (at_ != nullptr) munmap(const_cast<char*>(at_), bytes_);
}

Mapping::Mapping(Mapping&& other) noexcept
    : at_(std::exchange(other.at_, nullptr)), bytes_(other.bytes_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(at_, other.at_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

std::string error_text(int error) {
  return std::error_code(error, std::generic_category()).message();
}

bool is_no_room(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

absl::Status directory_error(std::string_view what, const fs::path& path, int error) {
  std::string message = fmt::format("{} {}: {}", what, path.string(), error_text(error));
  if (is_no_room(error)) return absl::ResourceExhaustedError(message);
  switch (error) {
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    case EIO:  // no fault of the path's
      return absl::DataLossError(message);
    default:
      return absl::InvalidArgumentError(message);
  }
}

namespace {

absl::StatusOr<Descriptor> open_directory(const fs::path& path) {
  Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return directory_error("cannot open the data directory", path, errno);
  return directory;
}

// The parent's entry for what was made must be synced too, or a power cut leaves a database without
// a way to it.
absl::Status make_directory(const fs::path& path) {
  if (mkdir(path.c_str(), 0700) == 0) {
    const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
    absl::StatusOr<Descriptor> opened = open_directory(parent);
    if (!opened.ok()) return opened.status();
    return sync_directory(*opened, parent);
  }
  if (errno == EEXIST) return absl::OkStatus();  // what it is, the opening will show
  if (errno != ENOENT || !path.has_parent_path() || path.parent_path() == path) {
    return directory_error("cannot make the data directory", path, errno);
  }
  if (absl::Status parent = make_directory(path.parent_path()); !parent.ok()) return parent;
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return directory_error("cannot make the data directory", path, errno);
  }
  absl::StatusOr<Descriptor> opened = open_directory(path.parent_path());
  if (!opened.ok()) return opened.status();
  return sync_directory(*opened, path.parent_path());
}

}  // namespace

std::string_view network_file_system(long type) {
  // From linux/magic.h and statfs(2). FUSE may be local, but gives no promise about mmap and sync.
  switch (static_cast<unsigned long>(type) & 0xFFFFFFFFUL) {
    case 0x6969:
      return "NFS";
    case 0x517B:
      return "SMB";
    case 0xFF534D42:
      return "CIFS";
    case 0xFE534D42:
      return "SMB2";
    case 0x65735546:
      return "FUSE";
    case 0x01021997:
      return "9P";
    case 0x5346414F:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x00C36400:
      return "Ceph";
    default:
      return {};
  }
}

absl::StatusOr<Descriptor> open_data_directory(const fs::path& path) {
  // Without a trailing slash, so that parent_path() is the parent.
  const fs::path plain = path.has_filename() ? path : path.parent_path();
  if (absl::Status made = make_directory(plain); !made.ok()) return made;
  absl::StatusOr<Descriptor> directory = open_directory(plain);
  if (!directory.ok()) return directory;
  struct statfs facts{};
  if (fstatfs(directory->get(), &facts) != 0) {
    return directory_error("cannot examine the data directory", path, errno);
  }
  const std::string_view network = network_file_system(static_cast<long>(facts.f_type));
  if (!network.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("the data directory {} is on a file system of type {}, where LMDB is not safe: "
                    "use a local disk",
                    path.string(), network));
  }
  return directory;
}

absl::Status sync_directory(const Descriptor& directory, const fs::path& path) {
  // EINVAL: a file system that has nothing to sync in a directory.
  if (fsync(directory.get()) != 0 && errno != EINVAL) {
    return directory_error("cannot sync the directory", path, errno);
  }
  return absl::OkStatus();
}

}  // namespace dynamo::storage

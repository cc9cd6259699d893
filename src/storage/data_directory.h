#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace dynamo::storage {

// A file descriptor, closed with the object.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;

  int get() const { return fd_; }
  // Gives the descriptor up without closing it.
  int release();

 private:
  int fd_ = -1;
};

// Bytes of a file that can be read in memory, unmapped with the object.
class Mapping {
 public:
  Mapping() = default;
  Mapping(const char* at, std::size_t bytes) : at_(at), bytes_(bytes) {}
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;

  const char* get() const { return at_; }

 private:
  const char* at_ = nullptr;
  std::size_t bytes_ = 0;
};

// "No space left on device" for ENOSPC; strerror itself is not thread-safe.
std::string error_text(int error);

// Whether the error of a write says that the file has no room to grow.
bool is_no_room(int error);

// `what` and the text of `error`, as RESOURCE_EXHAUSTED if there is no room or no memory, as
// DATA_LOSS if the disk fails, else as INVALID_ARGUMENT: the directory cannot be used.
absl::Status directory_error(std::string_view what, const std::filesystem::path& path, int error);

// Opens `path`, made with mode 0700 if it is missing, with its missing parents; whatever is made is
// on stable storage on return. INVALID_ARGUMENT if it cannot be used or is on a file system that
// LMDB does not work on; RESOURCE_EXHAUSTED if there is no room.
absl::StatusOr<Descriptor> open_data_directory(const std::filesystem::path& path);

// The name of the network file system with this statfs number, or nothing for a local one.
std::string_view network_file_system(long type);

// Makes the entries of an open directory durable.
absl::Status sync_directory(const Descriptor& directory, const std::filesystem::path& path);

}  // namespace dynamo::storage

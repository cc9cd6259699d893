#include "storage/write_ahead_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/coding.h"
#include "base/hash.h"

namespace dynamo::storage {
namespace {

constexpr std::string_view head_magic = "dynamo write-ahead log, form 1\n";
constexpr std::uint32_t entry_magic = 0x676f4c57;  // "WLog"
constexpr std::size_t growth = std::size_t{64} << 10;
constexpr std::size_t checksum_offset = 24;  // in the head of an entry

// An entry: magic, its length, its epoch, its number, the checksum of all of that and of what
// follows. Lengths are multiples of this, so that entries can be looked for.
constexpr std::size_t alignment = 8;

std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::uint64_t checksum(std::string_view entry) {
  const std::uint64_t front = core::hash64(entry.substr(0, checksum_offset), entry_magic);
  return core::hash64(entry.substr(WriteAheadLog::head_bytes), front);
}

// Of the head with that epoch.
std::size_t place_of(std::uint64_t epoch) { return epoch % 2 == 0 ? 0 : WriteAheadLog::sector; }

// 0, or the error.
int write_all(int fd, std::string_view bytes, std::size_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return ENOSPC;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
  return 0;
}

int write_zeros(int fd, std::size_t from, std::size_t to) {
  return write_all(fd, std::string(to - from, '\0'), from);
}

}  // namespace

absl::StatusOr<WriteAheadLog> WriteAheadLog::open(const std::filesystem::path& directory,
                                                  std::string_view name, std::size_t bytes_max,
                                                  Replay replay) {
  WriteAheadLog log(directory, name, bytes_max);
  if (absl::Status loaded = log.load(replay); !loaded.ok()) return loaded;
  return log;
}

absl::Status WriteAheadLog::load(Replay replay) {
  file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (file_.get() < 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return directory_error("cannot open", path_, errno);
  }
  std::string contents;
  if (absl::Status read = read_file(contents); !read.ok()) return read;
  file_bytes_ = contents.size();
  if (absl::Status mapped = map(file_.get()); !mapped.ok()) return mapped;
  if (!read_heads(contents)) {
    return absl::DataLossError(fmt::format("{} is not a log that can be read", path_.string()));
  }
  while (const std::size_t bytes = entry_at(contents, end_, sequence_)) {
    replay(std::string_view(contents).substr(end_, bytes), mapped_.get() + end_);
    end_ += bytes;
    ++sequence_;
  }
  if (entry_behind(contents)) {
    return absl::DataLossError(
        fmt::format("{} is damaged at byte {}: there are entries behind it that can be read",
                    path_.string(), end_));
  }
  // A process that was killed may have left them in the system's memory only; they are about to be
  // seen, and must not go away after that.
  if (sequence_ > 0 && fdatasync(file_.get()) != 0) {
    return directory_error("cannot sync", path_, errno);
  }
  return absl::OkStatus();
}

absl::Status WriteAheadLog::map(int fd) {
  const std::size_t bytes = std::max(file_bytes_, first_entry + bytes_max_ + growth);
  void* const mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return directory_error("cannot map", path_, errno);
  mapped_ = Mapping(static_cast<const char*>(mapped), bytes);
  return absl::OkStatus();
}

// Not from where it is mapped: a disk that cannot read would kill the process there.
absl::Status WriteAheadLog::read_file(std::string& contents) const {
  struct stat facts {};
  if (fstat(file_.get(), &facts) != 0) {
    return directory_error("cannot examine", path_, errno);
  }
  contents.resize(static_cast<std::size_t>(facts.st_size));
  for (std::size_t at = 0; at < contents.size();) {
    const ssize_t bytes =
        pread(file_.get(), contents.data() + at, contents.size() - at, static_cast<off_t>(at));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return directory_error("cannot read", path_, errno);
    if (bytes == 0) contents.resize(at);  // a file that is being cut off
    at += static_cast<std::size_t>(bytes);
  }
  return absl::OkStatus();
}

std::string WriteAheadLog::head() const {
  std::string head(head_magic);
  core::Encoder encoder(head);
  encoder.fixed64(epoch_);
  encoder.fixed64(core::hash64(head, entry_magic));
  return head;
}

bool WriteAheadLog::read_heads(std::string_view contents) {
  const std::size_t bytes = head().size();
  for (const std::size_t at : {std::size_t{0}, sector}) {
    if (contents.size() < first_entry) return false;
    const std::string_view found = contents.substr(at, bytes);
    core::Decoder decoder(found.substr(head_magic.size()));
    const std::uint64_t epoch = decoder.fixed64();
    const std::uint64_t before = std::exchange(epoch_, epoch);
    // Epoch 0 is that of a head that was never written.
    if (found != head() || epoch < before) epoch_ = before;
  }
  return epoch_ != 0;
}

std::size_t WriteAheadLog::entry_at(std::string_view contents, std::size_t at,
                                    std::uint64_t sequence) const {
  if (at + head_bytes > contents.size()) return 0;
  core::Decoder decoder(contents.substr(at, head_bytes));
  if (decoder.fixed32() != entry_magic) return 0;
  const std::size_t bytes = decoder.fixed32();
  if (decoder.fixed64() != epoch_ || decoder.fixed64() != sequence) return 0;
  if (bytes < head_bytes || bytes % alignment != 0 || bytes > contents.size() - at) return 0;
  return decoder.fixed64() == checksum(contents.substr(at, bytes)) ? bytes : 0;
}

bool WriteAheadLog::entry_behind(std::string_view contents) const {
  for (std::size_t at = end_ + alignment; at + head_bytes <= contents.size(); at += alignment) {
    core::Decoder decoder(contents.substr(at, head_bytes));
    if (decoder.fixed32() != entry_magic) continue;
    decoder.fixed32();
    if (decoder.fixed64() != epoch_) continue;
    const std::uint64_t sequence = decoder.fixed64();
    if (sequence > sequence_ && entry_at(contents, at, sequence) != 0) return true;
  }
  return false;
}

// Under another name until it is whole and on the disk, so that there is no file without a head.
absl::Status WriteAheadLog::make_file(std::uint64_t epoch) {
  const std::string name = path_.filename().string();
  const std::string unfinished = name + ".new";
  const auto error = [&](std::string_view what) { return directory_error(what, path_, errno); };
  absl::StatusOr<Descriptor> directory = open_data_directory(directory_);
  if (!directory.ok()) return directory.status();
  Descriptor made(openat(directory->get(), unfinished.c_str(),
                         O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (made.get() < 0) return error("cannot make");
  epoch_ = epoch;
  if (int failed = write_zeros(made.get(), 0, growth);
      failed != 0 || (failed = write_all(made.get(), head(), place_of(epoch))) != 0) {
    return directory_error("cannot write", path_, failed);
  }
  if (fsync(made.get()) != 0) return error("cannot sync");
  if (absl::Status mapped = map(made.get()); !mapped.ok()) return mapped;
  if (renameat(directory->get(), unfinished.c_str(), directory->get(), name.c_str()) != 0) {
    return error("cannot name");
  }
  if (absl::Status synced = sync_directory(*directory, directory_); !synced.ok()) return synced;
  file_ = std::move(made);
  file_bytes_ = growth;
  return absl::OkStatus();
}

absl::Status WriteAheadLog::reserve(std::size_t bytes, std::uint64_t epoch_before) {
  if (file_.get() < 0) {
    if (absl::Status made = make_file(epoch_before + 1); !made.ok()) {
      epoch_ = 0;
      return made;
    }
  }
  const std::size_t needed = end_ + aligned(bytes);
  if (needed <= file_bytes_) return absl::OkStatus();
  const std::size_t wanted = (needed + growth - 1) / growth * growth;
  if (const int error = write_zeros(file_.get(), file_bytes_, wanted); error != 0) {
    return directory_error("cannot grow", path_, error);
  }
  file_bytes_ = wanted;
  return absl::OkStatus();
}

absl::StatusOr<const char*> WriteAheadLog::append(std::string& entry) {
  entry.resize(aligned(entry.size()));
  std::string filled;
  core::Encoder encoder(filled);
  encoder.fixed32(entry_magic);
  encoder.fixed32(static_cast<std::uint32_t>(entry.size()));
  encoder.fixed64(epoch_);
  encoder.fixed64(sequence_);
  entry.replace(0, filled.size(), filled);
  filled.clear();
  encoder.fixed64(checksum(entry));
  entry.replace(checksum_offset, filled.size(), filled);

  if (const int error = write_all(file_.get(), entry, end_); error != 0) {
    return is_no_room(error) ? no_room(error) : failed("writing", error);
  }
  if (fdatasync(file_.get()) != 0) return failed("syncing", errno);
  const char* const at = mapped_.get() + end_;
  end_ += entry.size();
  ++sequence_;
  return at;
}

absl::Status WriteAheadLog::clear(std::uint64_t epoch_before) {
  const std::uint64_t before = epoch_;
  // The head in force stays: the epochs of the two are odd and even.
  do ++epoch_;
  while (epoch_ <= epoch_before || epoch_ % 2 == before % 2);
  if (const int error = write_all(file_.get(), head(), place_of(epoch_)); error != 0) {
    epoch_ = before;  // its head is whole; the other is not, or says the same
    return is_no_room(error) ? no_room(error) : failed("writing", error);
  }
  if (fdatasync(file_.get()) != 0) return failed("syncing", errno);
  end_ = first_entry;
  sequence_ = 0;
  return absl::OkStatus();
}

void WriteAheadLog::shrink() {
  if (file_.get() < 0 || end_ > first_entry || file_bytes_ <= growth) return;
  if (ftruncate(file_.get(), growth) == 0) file_bytes_ = growth;
}

absl::Status WriteAheadLog::no_room(int error) const {
  return absl::ResourceExhaustedError(
      fmt::format("cannot write {}: {}", path_.string(), error_text(error)));
}

absl::Status WriteAheadLog::failed(std::string_view what, int error) const {
  return absl::DataLossError(
      fmt::format("{} {} failed: {}", what, path_.string(), error_text(error)));
}

}  // namespace dynamo::storage

#pragma once

// An engine of one's own: a std::map in memory, and a log of all batches in a file. A batch is one
// write and one sync; opening replays the log and cuts off what a crash left unfinished.
//
//   batch: size of the entries, 8 bytes | their hash, 8 bytes | entries
//   entry: size of the key, 4 bytes | size of the record + 1, or 0 to erase, 4 bytes | key | record
//
// Its price: all data is in memory as well, the log grows with every write and is never cut short,
// and integers are as this machine has them.

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include <dynamo/storage_engine.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace example {

template <class Integer>
void append(std::string& bytes, std::size_t value) {
  const Integer integer = static_cast<Integer>(value);
  bytes.append(reinterpret_cast<const char*>(&integer), sizeof integer);
}
// REQUIRES: the bytes begin with one.
template <class Integer>
Integer take(std::string_view& bytes) {
  Integer integer{};
  bytes.copy(reinterpret_cast<char*>(&integer), sizeof integer);
  bytes.remove_prefix(sizeof integer);
  return integer;
}
inline std::uint64_t hash_of(std::string_view bytes) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

// One file, open once. Thread safety: as StorageEngine asks.
class LogStorage final : public dynamo::StorageEngine {
 public:
  static absl::StatusOr<std::unique_ptr<StorageEngine>> open(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return absl::InvalidArgumentError(path.string() + " cannot be opened");
    std::unique_ptr<LogStorage> engine(new LogStorage(file));
    if (::flock(file, LOCK_EX | LOCK_NB) != 0)
      return absl::FailedPreconditionError(path.string() + " is open already");
    if (const absl::Status replayed = engine->replay(); !replayed.ok()) return replayed;
    return engine;
  }
  ~LogStorage() override { ::close(file_); }

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) override {
    if (::getpid() != process_) return forked();
    if (key.empty() || key.size() > key_bytes_max) return out_of_range("key", key.size());
    const std::shared_lock lock = reading();
    const auto found = map_.find(key);
    if (found == map_.end()) return false;
    visit(found->second);
    return true;
  }

  absl::Status scan(std::string_view from,
                    absl::FunctionRef<bool(std::string_view, std::string_view)> visit) override {
    if (::getpid() != process_) return forked();
    const std::shared_lock lock = reading();  // one state throughout; a write waits meanwhile
    for (auto at = map_.lower_bound(from); at != map_.end(); ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return absl::OkStatus();
  }

  absl::Status write(std::span<const Write> batch) override {
    if (::getpid() != process_) return forked();
    if (failed_) return absl::DataLossError("the log could not be synced before");
    std::string entries;
    for (const Write& each : batch) {
      const std::string_view record = each.record.value_or("");
      if (each.key.empty() || each.key.size() > key_bytes_max)
        return out_of_range("key", each.key.size());
      if (record.size() > record_bytes_max) return out_of_range("record", record.size());
      append<std::uint32_t>(entries, each.key.size());
      append<std::uint32_t>(entries, each.record ? record.size() + 1 : 0);
      entries.append(each.key).append(record);
    }
    if (const absl::Status logged = log(entries); !logged.ok()) return logged;
    const std::lock_guard queue(queue_);
    const std::unique_lock lock(mutex_);
    apply(entries);
    return absl::OkStatus();
  }

 private:
  explicit LogStorage(int file) : file_(file) {}

  static absl::Status forked() {
    return absl::FailedPreconditionError("the engine belongs to the parent process");
  }
  static absl::Status out_of_range(const char* what, std::size_t size) {
    return absl::InvalidArgumentError(std::string(what) + " of " + std::to_string(size) + " bytes");
  }

  // Readers wait behind a writer that waits; without the queue, new ones could keep it out for
  // ever.
  std::shared_lock<std::shared_mutex> reading() {
    const std::lock_guard queue(queue_);
    return std::shared_lock(mutex_);
  }

  // Nothing is acknowledged that is not on the disk, and nothing half written stays in front of
  // the next batch. After a failed sync nobody knows what is on the disk.
  absl::Status log(const std::string& entries) {
    std::string bytes;
    append<std::uint64_t>(bytes, entries.size());
    append<std::uint64_t>(bytes, hash_of(entries));
    bytes += entries;
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t more = ::pwrite(file_, bytes.data() + done, bytes.size() - done,
                                    static_cast<off_t>(log_bytes_ + done));
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) {
        failed_ = ::ftruncate(file_, static_cast<off_t>(log_bytes_)) != 0;
        return absl::ResourceExhaustedError("the log cannot grow");
      }
      done += static_cast<std::size_t>(more);
    }
    failed_ = ::fdatasync(file_) != 0;
    if (failed_) return absl::DataLossError("the log could not be synced");
    log_bytes_ += bytes.size();
    return absl::OkStatus();
  }

  void apply(std::string_view entries) {
    while (!entries.empty()) {
      const std::size_t key_bytes = take<std::uint32_t>(entries);
      const std::size_t record_bytes = take<std::uint32_t>(entries);
      const std::string key(entries.substr(0, key_bytes));
      entries.remove_prefix(key_bytes);
      if (record_bytes == 0) {
        map_.erase(key);
        continue;
      }
      map_[key] = entries.substr(0, record_bytes - 1);
      entries.remove_prefix(record_bytes - 1);
    }
  }

  absl::Status replay() {
    std::string log;
    std::string chunk(1 << 16, '\0');
    for (ssize_t got = 0;
         (got = ::pread(file_, chunk.data(), chunk.size(), static_cast<off_t>(log.size()))) != 0;) {
      if (got < 0) return absl::DataLossError("the log cannot be read");
      log.append(chunk, 0, static_cast<std::size_t>(got));
    }
    for (std::string_view rest = log; rest.size() >= 16;) {
      const std::uint64_t size = take<std::uint64_t>(rest);
      const std::uint64_t hash = take<std::uint64_t>(rest);
      if (size > rest.size() || hash_of(rest.substr(0, size)) != hash) break;
      apply(rest.substr(0, size));
      rest.remove_prefix(size);
      log_bytes_ = log.size() - rest.size();
    }
    if (::ftruncate(file_, static_cast<off_t>(log_bytes_)) != 0)
      return absl::DataLossError("the end of the log cannot be cut off");
    return absl::OkStatus();
  }

  const int file_;
  const pid_t process_ = ::getpid();
  // Of the writing thread.
  std::size_t log_bytes_ = 0;
  bool failed_ = false;

  std::mutex queue_;
  std::shared_mutex mutex_;
  std::map<std::string, std::string, std::less<>> map_;  // guarded by mutex_
};

}  // namespace example

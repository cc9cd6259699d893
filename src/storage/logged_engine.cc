#include "storage/logged_engine.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/coding.h"
#include "storage/limits.h"

namespace dynamo::storage {
namespace {

// Of an entry: whether there is a record, the key, the record; and so on to the end, where zeros
// may fill it up. No key is empty, so neither is what begins with these.
constexpr std::uint8_t puts = 1;
constexpr std::uint8_t erases = 2;

std::string encode(std::span<const StorageEngine::Write> batch, std::size_t bytes) {
  std::string entry;
  entry.reserve(bytes);
  entry.resize(WriteAheadLog::head_bytes);
  core::Encoder encoder(entry);
  for (const StorageEngine::Write& write : batch) {
    encoder.fixed8(write.record ? puts : erases);
    encoder.bytes(write.key);
    if (write.record) encoder.bytes(*write.record);
  }
  return entry;
}

// At most.
std::size_t encoded_bytes(std::span<const StorageEngine::Write> batch) {
  constexpr std::size_t of_lengths = 16;
  std::size_t bytes = WriteAheadLog::head_bytes + of_lengths;
  for (const StorageEngine::Write& write : batch) {
    bytes += of_lengths + write.key.size() + (write.record ? write.record->size() : 0);
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StorageEngine>> LoggedEngine::open(
    std::unique_ptr<StorageEngine> engine, std::filesystem::path directory, Limits limits,
    std::size_t (*bytes_of_engine)(const std::filesystem::path& directory)) {
  std::vector<std::string> replayed;
  absl::StatusOr<WriteAheadLog> log = WriteAheadLog::open(
      directory, [&](std::string entry) { replayed.push_back(std::move(entry)); });
  if (!log.ok()) return log.status();
  std::unique_ptr<LoggedEngine> opened(new LoggedEngine(std::move(engine), std::move(directory),
                                                        limits, bytes_of_engine, *std::move(log)));
  for (std::string& entry : replayed) {
    if (opened->add_to_tail(std::move(entry))) continue;
    opened->failed_ = true;
    return absl::DataLossError(
        fmt::format("{} holds an entry that makes no sense",
                    (opened->directory_ / WriteAheadLog::file_name).string()));
  }
  return opened;
}

LoggedEngine::LoggedEngine(std::unique_ptr<StorageEngine> engine, std::filesystem::path directory,
                           Limits limits,
                           std::size_t (*bytes_of_engine)(const std::filesystem::path&),
                           WriteAheadLog log)
    : engine_(std::move(engine)),
      directory_(std::move(directory)),
      limits_(limits),
      bytes_of_engine_(bytes_of_engine),
      generation_(core::process_generation()),
      log_(std::move(log)) {
  find_limit();
}

LoggedEngine::~LoggedEngine() {
  if (!in_child() && !failed_ && move_to_engine().ok()) log_.shrink();
}

std::shared_lock<std::shared_mutex> LoggedEngine::lock_for_reading() const {
  const std::lock_guard<std::mutex> pass(turnstile_);
  return std::shared_lock<std::shared_mutex>(mutex_);
}

absl::StatusOr<bool> LoggedEngine::read(std::string_view key,
                                        absl::FunctionRef<void(std::string_view record)> visit) {
  // What leaves the tail is in the engine by then: not to find it here is to find it there.
  if (!in_child() && !empty_.load(std::memory_order_acquire)) {
    const std::shared_lock<std::shared_mutex> lock = lock_for_reading();
    const auto found = tail_.find(key);
    if (found != tail_.end()) {
      if (found->second) visit(*found->second);
      return found->second.has_value();
    }
  }
  return engine_->read(key, visit);
}

absl::Status LoggedEngine::scan(
    std::string_view from,
    absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) {
  if (in_child() || empty_.load(std::memory_order_acquire)) return engine_->scan(from, visit);
  const std::shared_lock<std::shared_mutex> lock = lock_for_reading();
  auto next = tail_.lower_bound(from);
  bool more = true;
  const auto visit_tail = [&] {
    if (next->second) more = visit(next->first, *next->second);
    ++next;
  };
  const absl::Status scanned =
      engine_->scan(from, [&](std::string_view key, std::string_view record) {
        while (more && next != tail_.end() && next->first < key) visit_tail();
        if (!more) return false;
        if (next != tail_.end() && next->first == key) {
          visit_tail();
        } else {
          more = visit(key, record);
        }
        return more;
      });
  while (scanned.ok() && more && next != tail_.end()) visit_tail();
  return scanned;
}

void LoggedEngine::find_limit() {
  const std::size_t part = bytes_of_engine_(directory_) / limits_.part_of_engine;
  limit_ = std::clamp(part, limits_.at_least, limits_.at_most);
}

absl::Status LoggedEngine::failed_error() const {
  return absl::DataLossError(
      fmt::format("the log of {} has failed before and takes no more writes: check the disk, then "
                  "open it anew",
                  directory_.string()));
}

absl::Status LoggedEngine::write(std::span<const Write> batch) {
  if (in_child()) return engine_->write(batch);  // it says so
  if (failed_) return failed_error();
  if (absl::Status valid = check_batch(batch); !valid.ok()) return valid;
  if (batch.empty()) return absl::OkStatus();
  const std::size_t bytes = encoded_bytes(batch);
  if (!is_small(bytes)) return write_to_engine(batch);
  if (log_.bytes() + bytes > limit_) {
    if (absl::Status moved = move_to_engine(); !moved.ok()) return moved;
  }
  // The engine may have room where the log has none, and does not need it.
  if (!log_.reserve(bytes).ok()) return write_to_engine(batch);
  std::string entry = encode(batch, bytes);
  if (absl::Status appended = log_.append(entry); !appended.ok()) {
    if (absl::IsResourceExhausted(appended)) return write_to_engine(batch);
    failed_ = true;
    return appended;
  }
  add_to_tail(std::move(entry));
  return absl::OkStatus();
}

// What is not in the log may pass it by, if there is room without what is erased there.
absl::Status LoggedEngine::write_to_engine(std::span<const Write> batch) {
  const bool overlaps =
      std::ranges::any_of(batch, [&](const Write& write) { return tail_.contains(write.key); });
  if (!overlaps) {
    absl::Status written = engine_->write(batch);
    if (tail_.empty() || !absl::IsResourceExhausted(written)) return written;
  }
  if (absl::Status moved = move_to_engine(); !moved.ok()) return moved;
  return engine_->write(batch);
}

absl::Status LoggedEngine::move_to_engine() {
  if (tail_.empty()) return absl::OkStatus();
  std::vector<Write> erased;
  std::vector<Write> put;
  for (const auto& [key, record] : tail_) {
    (record ? put : erased).push_back({.key = key, .record = record});
  }
  // Erases first, for what follows may need the room that they make: in more than one commit.
  if (absl::Status written = write_in_parts(erased, 0); !written.ok()) return written;
  if (absl::Status written = write_in_parts(put, limits_.part_at_least); !written.ok()) {
    return written;
  }
  if (absl::Status cleared = log_.clear(); !cleared.ok()) {
    failed_ = !absl::IsResourceExhausted(cleared);
    return cleared;
  }
  forget_tail();
  return absl::OkStatus();
}

// LMDB writes changed pages to free places, and those that it frees are free for the second commit
// from there: a commit needs room for all pages that it changes, and one commit of everything would
// need that of most of a small database. Little is done at once: each commit has its own cost.
absl::Status LoggedEngine::write_in_parts(std::span<const Write> writes, std::size_t at_least) {
  constexpr std::size_t parts = 8;
  const auto bytes_of = [](const Write& write) {
    return write.key.size() + write.record.value_or("").size();
  };
  std::size_t all = 0;
  for (const Write& write : writes) all += bytes_of(write);
  const std::size_t enough = std::max(all / parts, at_least);
  std::size_t bytes = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    bytes += bytes_of(writes[i]);
    if (bytes < enough) continue;
    const auto part = writes.subspan(begin, i + 1 - begin);
    if (absl::Status written = engine_->write(part); !written.ok()) return written;
    begin = i + 1;
    bytes = 0;
  }
  return begin == writes.size() ? absl::OkStatus() : engine_->write(writes.subspan(begin));
}

void LoggedEngine::forget_tail() {
  find_limit();
  Tail moved;  // freed after the lock
  std::deque<std::string> entries;
  const std::lock_guard<std::mutex> pass(turnstile_);
  const std::lock_guard<std::shared_mutex> lock(mutex_);
  moved.swap(tail_);
  entries.swap(entries_);
  empty_.store(true, std::memory_order_release);
}

bool LoggedEngine::add_to_tail(std::string entry) {
  const std::lock_guard<std::mutex> pass(turnstile_);
  const std::lock_guard<std::shared_mutex> lock(mutex_);
  entries_.push_back(std::move(entry));
  core::Decoder decoder(std::string_view(entries_.back()).substr(WriteAheadLog::head_bytes));
  while (!decoder.at_end()) {
    const std::uint8_t kind = decoder.fixed8();
    if (kind == 0) continue;
    const std::string_view key = decoder.bytes(key_bytes_max);
    std::optional<std::string_view> record;
    if (kind == puts) record = decoder.bytes(record_bytes_max);
    if (!decoder.ok() || key.empty() || kind > erases) return false;
    tail_.insert_or_assign(key, record);
  }
  empty_.store(false, std::memory_order_release);
  return true;
}

}  // namespace dynamo::storage

#include "storage/logged_engine.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "storage/limits.h"

namespace dynamo::storage {
namespace {

constexpr std::size_t head_bytes = WriteAheadLog::head_bytes;
// A log is full when it has a record for so many bytes, too, for the memory of its index is theirs.
constexpr std::size_t bytes_a_record = 128;

std::size_t bytes_of(const StorageEngine::Write& write) {
  return write.key.size() + write.record.value_or("").size();
}

// Visits what there is, in order of the keys from `from` on: of each key what the younger has.
// Returns whether `visit` wants more.
template <class Visit>
bool visit_merged(const LogTail::Records& older, const LogTail::Records& younger,
                  LogTail::Records::const_iterator& next_older,
                  LogTail::Records::const_iterator& next_younger, const std::string_view* until,
                  const Visit& visit) {
  for (;;) {
    const bool has_older = next_older != older.end();
    const bool has_younger = next_younger != younger.end();
    if (!has_older && !has_younger) return true;
    const bool takes_younger =
        has_younger && (!has_older || next_younger->key() <= next_older->key());
    const LogTail::Item& next = takes_younger ? *next_younger : *next_older;
    const std::string_view key = next.key();
    const LogTail::Record record = next.record();
    if (until != nullptr && key > *until) return true;
    if (has_older && next_older->key() == key) ++next_older;
    if (takes_younger) ++next_younger;
    if (!visit(key, record)) return false;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<StorageEngine>> LoggedEngine::open(
    std::unique_ptr<StorageEngine> engine, std::filesystem::path directory, Limits limits,
    std::size_t (*bytes_of_engine)(const std::filesystem::path& directory)) {
  const std::size_t expected = limit_of(limits, bytes_of_engine(directory));
  Generations generations;
  for (std::size_t i = 0; i < generations.size(); ++i) {
    auto generation = std::make_unique<Generation>();
    generation->tail.expect(expected);
    bool makes_sense = true;
    const auto replay = [&](std::string_view entry, const char* mapped) {
      const std::string_view items = entry.substr(head_bytes);
      makes_sense = makes_sense && generation->tail.add(items, mapped + head_bytes);
    };
    absl::StatusOr<WriteAheadLog> log =
        WriteAheadLog::open(directory, file_names[i], limits.at_most, replay);
    if (!log.ok()) return log.status();
    if (!makes_sense) {
      return absl::DataLossError(fmt::format("{} holds an entry that makes no sense",
                                             (directory / file_names[i]).string()));
    }
    generation->log = *std::move(log);
    generations[i] = std::move(generation);
  }
  // The later one is young; if one is empty, the other.
  const auto age = [](const std::unique_ptr<Generation>& generation) {
    return std::pair(!generation->tail.empty(), generation->log.epoch());
  };
  if (age(generations[0]) >= age(generations[1])) std::swap(generations[0], generations[1]);
  return std::unique_ptr<StorageEngine>(new LoggedEngine(
      std::move(engine), std::move(directory), limits, bytes_of_engine, std::move(generations)));
}

LoggedEngine::LoggedEngine(std::unique_ptr<StorageEngine> engine, std::filesystem::path directory,
                           Limits limits,
                           std::size_t (*bytes_of_engine)(const std::filesystem::path&),
                           Generations generations)
    : engine_(std::move(engine)),
      directory_(std::move(directory)),
      limits_(limits),
      bytes_of_engine_(bytes_of_engine),
      generation_(core::process_generation()),
      generations_(std::move(generations)),
      tails_{&generations_[0]->tail, &generations_[1]->tail} {
  start_move();
}

LoggedEngine::~LoggedEngine() {
  if (in_child() || failed_ || old().log.bytes() + young().log.bytes() > limits_.at_stop) return;
  if (!move_all().ok()) return;
  for (const auto& generation : generations_) generation->log.shrink();
}

bool LoggedEngine::may_be_logged(std::string_view key) const {
  const std::uint64_t hash = LogTail::hash_of(key);
  return std::ranges::any_of(tails_, [&](const LogTail* tail) { return tail->may_have(hash); });
}

std::shared_lock<std::shared_mutex> LoggedEngine::lock_for_reading() const {
  const std::lock_guard<std::mutex> pass(turnstile_);
  return std::shared_lock<std::shared_mutex>(mutex_);
}

absl::StatusOr<bool> LoggedEngine::read(std::string_view key,
                                        absl::FunctionRef<void(std::string_view record)> visit) {
  // What leaves a tail is in the engine by then: not to find it here is to find it there.
  if (!in_child() && may_be_logged(key)) {
    const std::shared_lock<std::shared_mutex> lock = lock_for_reading();
    for (const Generation* generation : {&young(), &old()}) {
      const auto found = generation->tail.records().find(key);
      if (found == generation->tail.records().end()) continue;
      const LogTail::Record record = found->record();
      if (record) visit(*record);
      return record.has_value();
    }
  }
  return engine_->read(key, visit);
}

absl::Status LoggedEngine::scan(
    std::string_view from,
    absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) {
  if (in_child()) return engine_->scan(from, visit);
  const std::shared_lock<std::shared_mutex> lock = lock_for_reading();
  const LogTail::Records& older = old().tail.records();
  const LogTail::Records& younger = young().tail.records();
  auto next_older = older.lower_bound(from);
  auto next_younger = younger.lower_bound(from);
  bool more = true;
  std::string_view last;  // key of a tail
  const auto visit_tails = [&](const std::string_view* until) {
    more = visit_merged(older, younger, next_older, next_younger, until,
                        [&](std::string_view key, const LogTail::Record& record) {
                          last = key;
                          return !record || visit(key, *record);
                        });
  };
  const absl::Status scanned =
      engine_->scan(from, [&](std::string_view key, std::string_view record) {
        visit_tails(&key);
        if (more && last != key) more = visit(key, record);
        return more;
      });
  if (scanned.ok() && more) visit_tails(nullptr);
  return scanned;
}

std::size_t LoggedEngine::limit_of(const Limits& limits, std::size_t bytes_of_engine) {
  return std::clamp(bytes_of_engine / limits.part_of_engine, limits.at_least, limits.at_most);
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
  const std::size_t bytes = LogTail::encoded_bytes(batch, head_bytes);
  if (limit_ > 0 && !is_small(bytes) &&
      limit_of(limits_, bytes_of_engine_(directory_)) >= 2 * limit_) {
    // The engine has grown by what passed the logs, which so do not become full.
    if (absl::Status turned = turn(); failed_) return turned;
  }
  if (!is_small(bytes)) return write_to_engine(batch);
  if (fullness(bytes) > 1) {
    if (absl::Status turned = turn(); !turned.ok()) return turned;
  }
  if (absl::Status moved = move_some(bytes); !moved.ok()) {
    if (failed_ || !absl::IsResourceExhausted(moved)) return moved;
    // What erases may make the room that is missing, and the log still has some for that.
    const bool erases =
        std::ranges::all_of(batch, [](const Write& write) { return !write.record; });
    if (!erases && !(moved = move_all()).ok()) return moved;
  }
  // The engine may have room where the log has none, and does not need it.
  if (!young().log.reserve(bytes, old().log.epoch()).ok()) return write_to_engine(batch);
  std::string entry = LogTail::encode(batch, head_bytes, bytes);
  const absl::StatusOr<const char*> mapped = young().log.append(entry);
  if (!mapped.ok()) {
    if (absl::IsResourceExhausted(mapped.status())) return write_to_engine(batch);
    failed_ = true;
    return mapped.status();
  }
  const std::lock_guard<std::mutex> pass(turnstile_);
  const std::lock_guard<std::shared_mutex> lock(mutex_);
  young().tail.add(std::string_view(entry).substr(head_bytes), *mapped + head_bytes);
  return absl::OkStatus();
}

bool LoggedEngine::is_logged(std::string_view key) const {
  return old().tail.records().contains(key) || young().tail.records().contains(key);
}

// What is not in the logs may pass them by, if there is room without what is erased there.
absl::Status LoggedEngine::write_to_engine(std::span<const Write> batch) {
  const bool overlaps =
      std::ranges::any_of(batch, [&](const Write& write) { return is_logged(write.key); });
  if (!overlaps) {
    absl::Status written = engine_->write(batch);
    const bool all_empty = old().tail.empty() && young().tail.empty();
    if (all_empty || !absl::IsResourceExhausted(written)) return written;
  }
  if (absl::Status moved = move_all(); !moved.ok()) return moved;
  return engine_->write(batch);
}

absl::Status LoggedEngine::turn() {
  if (!old().tail.empty()) {
    absl::Status moved = move_old(SIZE_MAX);
    // What is erased in the young log may make the room that the old one needs.
    if (absl::IsResourceExhausted(moved) && !failed_) return move_all();
    if (!moved.ok()) return moved;
  }
  if (old().log.epoch() != 0 && old().log.epoch() <= young().log.epoch()) {
    if (absl::Status cleared = clear_log(old()); !cleared.ok()) return cleared;
  }
  {
    const std::lock_guard<std::mutex> pass(turnstile_);
    const std::lock_guard<std::shared_mutex> lock(mutex_);
    std::swap(generations_[0], generations_[1]);
  }
  start_move();
  return absl::OkStatus();
}

void LoggedEngine::start_move() {
  limit_ = limit_of(limits_, bytes_of_engine_(directory_));
  const LogTail& tail = old().tail;
  move_ = move_of(tail.records(), tail.erases(), old().log.bytes());
  full_at_start_ = limit_ > 0 ? fullness(0) : 0;
  if (young().tail.empty()) young().tail.expect(limit_);
}

// LMDB writes changed pages to free places, and those that it frees are free for the second commit
// from there: a commit needs room for all pages that it changes, and one commit of everything would
// need that of most of a small database. It keeps as much memory as its largest commit took, and
// whoever writes meanwhile waits for one. But little is not done at once: each has its own cost.
LoggedEngine::Move LoggedEngine::move_of(const LogTail::Records& records, std::size_t erases,
                                         std::size_t bytes) const {
  constexpr std::size_t parts = 8;
  constexpr std::size_t erases_max = 2000;
  const std::size_t least = std::max<std::size_t>(1, limits_.part_at_least);
  return {.records = &records,
          .next = records.begin(),
          .erases_a_part = std::min(erases / parts + 1, erases_max),
          .part_bytes = std::clamp(bytes / parts, least, std::max(least, limits_.part_at_most))};
}

std::vector<StorageEngine::Write> LoggedEngine::take_part(Move& move) const {
  std::vector<Write> part;
  std::size_t bytes = 0;
  const auto room = [&] {
    return move.erases ? part.size() < move.erases_a_part : bytes < move.part_bytes;
  };
  while (room()) {
    if (move.next == move.records->end()) {
      if (!std::exchange(move.erases, false)) break;
      move.next = move.records->begin();
      if (!part.empty()) break;
      continue;
    }
    const LogTail::Item& item = *move.next++;
    if (item.erases() != move.erases) continue;
    part.push_back({.key = item.key(), .record = item.record()});
    bytes += bytes_of(part.back());
  }
  return part;
}

absl::Status LoggedEngine::go_on(Move& move, std::size_t until) {
  while (move.done < until && move.done < move.records->size()) {
    Move next = move;
    const std::vector<Write> part = take_part(next);
    if (absl::Status written = engine_->write(part); !written.ok()) return written;
    next.done += part.size();
    move = next;
  }
  return absl::OkStatus();
}

double LoggedEngine::fullness(std::size_t more) const {
  const auto of = [](std::size_t count, std::size_t most) {
    return static_cast<double>(count) / static_cast<double>(most);
  };
  return std::max(of(young().log.bytes() + more, limit_),
                  of(young().tail.records().size(), limit_ / bytes_a_record));
}

absl::Status LoggedEngine::move_some(std::size_t bytes) {
  if (old().tail.empty()) return absl::OkStatus();
  // So that the old log has moved before the young one has taken half of what it has room for. But
  // not before a whole part is due: a node that is started on a full disk writes a little, too.
  const std::size_t records = old().tail.records().size();
  const double of_log = static_cast<double>(move_.part_bytes) / static_cast<double>(limit_);
  const double taken = fullness(bytes) - full_at_start_;
  const double room = std::max(1 - full_at_start_, of_log);
  const double due = std::min(1.0, 2 * taken / room);
  const auto count = [&](double part) {
    return static_cast<std::size_t>(part * static_cast<double>(records));
  };
  if (due < 1 && count(due) < move_.done + count(of_log)) return absl::OkStatus();
  return move_old(count(due));
}

absl::Status LoggedEngine::move_old(std::size_t records) {
  if (absl::Status moved = go_on(move_, records); !moved.ok()) return moved;
  return move_.done == move_.records->size() ? clear(old()) : absl::OkStatus();
}

absl::Status LoggedEngine::move_all() {
  LogTail::Records all = young().tail.records();
  all.insert(old().tail.records().begin(), old().tail.records().end());
  const auto erases = std::ranges::count_if(all, [](const auto& item) { return item.erases(); });
  Move move =
      move_of(all, static_cast<std::size_t>(erases), old().log.bytes() + young().log.bytes());
  if (absl::Status moved = go_on(move, all.size()); !moved.ok()) return moved;
  if (absl::Status cleared = clear(old()); !cleared.ok()) return cleared;
  return clear(young());
}

absl::Status LoggedEngine::clear_log(Generation& generation) {
  absl::Status cleared = generation.log.clear(std::max(old().log.epoch(), young().log.epoch()));
  if (!cleared.ok()) failed_ = !absl::IsResourceExhausted(cleared);
  return cleared;
}

// REQUIRES: the engine has all of it, and of what is older.
absl::Status LoggedEngine::clear(Generation& generation) {
  if (generation.tail.empty()) return absl::OkStatus();
  if (absl::Status cleared = clear_log(generation); !cleared.ok()) return cleared;
  LogTail::Records cleared;  // freed after the lock
  const std::lock_guard<std::mutex> pass(turnstile_);
  const std::lock_guard<std::shared_mutex> lock(mutex_);
  cleared = generation.tail.take();
  if (&generation == &old()) start_move();
  return absl::OkStatus();
}

}  // namespace dynamo::storage

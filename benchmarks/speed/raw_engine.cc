#include "speed/raw_engine.h"

#include <lmdb.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "speed/child.h"

namespace bench {

namespace {

void check(int error, std::string_view what) {
  if (error != 0) give_up(fmt::format("LMDB: {}: {}", what, mdb_strerror(error)));
}

MDB_val to_lmdb(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }

// One thread's reads.
class Reader {
 public:
  Reader(MDB_env* environment, MDB_dbi database) : database_(database) {
    check(mdb_txn_begin(environment, nullptr, MDB_RDONLY, &transaction_), "a reader");
    mdb_txn_reset(transaction_);
  }
  ~Reader() { mdb_txn_abort(transaction_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::string get(std::string_view key) {
    check(mdb_txn_renew(transaction_), "renew");
    MDB_val lmdb_key = to_lmdb(key);
    MDB_val value{};
    check(mdb_get(transaction_, database_, &lmdb_key, &value), "get");
    std::string copy(static_cast<const char*>(value.mv_data), value.mv_size);
    mdb_txn_reset(transaction_);
    return copy;
  }

 private:
  const MDB_dbi database_;
  MDB_txn* transaction_ = nullptr;
};

}  // namespace

struct RawEngine::Handles {
  MDB_env* environment = nullptr;
  MDB_dbi database = 0;
};

RawEngine::RawEngine(const std::filesystem::path& directory)
    : handles_(std::make_unique<Handles>()) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  check(mdb_env_create(&handles_->environment), "create");
  check(mdb_env_set_mapsize(handles_->environment, std::size_t{1} << 34), "map");
  check(mdb_env_open(handles_->environment, directory.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0600),
        "open");
  MDB_txn* transaction = nullptr;
  check(mdb_txn_begin(handles_->environment, nullptr, 0, &transaction), "begin");
  check(mdb_dbi_open(transaction, nullptr, 0, &handles_->database), "database");
  check(mdb_txn_commit(transaction), "commit");
}

RawEngine::RawEngine(const std::filesystem::path& directory, const std::vector<std::string>& keys,
                     std::string value)
    : RawEngine(directory) {
  keys_ = &keys;
  value_ = std::move(value);
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 0; i < keys.size(); ++i) all.push_back(i);
  commit_keys(all);
  // A file that has been written to for a while has free pages inside and does not grow; one that
  // grows makes every sync a change of its size, too.
  Keys any(keys.size(), 1);
  for (int i = 0; i < 20; ++i) {
    std::vector<std::uint64_t> some;
    while (some.size() <= keys.size() / 20) some.push_back(any.next());
    std::ranges::sort(some);
    commit_keys(some);
  }
}

RawEngine::~RawEngine() { mdb_env_close(handles_->environment); }

void RawEngine::commit_keys(const std::vector<std::uint64_t>& sorted) {
  std::vector<std::pair<std::string_view, std::string_view>> writes;
  writes.reserve(sorted.size());
  for (const std::uint64_t number : sorted) writes.emplace_back((*keys_)[number], value_);
  commit(writes);
}

void RawEngine::commit(const std::vector<std::pair<std::string_view, std::string_view>>& sorted) {
  MDB_txn* transaction = nullptr;
  check(mdb_txn_begin(handles_->environment, nullptr, 0, &transaction), "begin");
  for (const auto& [key, value] : sorted) {
    MDB_val lmdb_key = to_lmdb(key);
    MDB_val lmdb_value = to_lmdb(value);
    check(mdb_put(transaction, handles_->database, &lmdb_key, &lmdb_value, 0), "put");
  }
  check(mdb_txn_commit(transaction), "commit");
}

Sample RawEngine::gets(const Load& load, Keys& keys) {
  Reader reader(handles_->environment, handles_->database);
  std::size_t bytes = 0;
  const Sample sample = run_blocking(
      load, keys, {}, [&](std::uint64_t key) { bytes += reader.get((*keys_)[key]).size(); });
  if (bytes == 0) give_up("LMDB has found nothing");
  return sample;
}

double RawEngine::gets_of(int threads, const Load& load) {
  return run_threads(threads, load, keys_->size(), [this] {
    auto reader = std::make_shared<Reader>(handles_->environment, handles_->database);
    return [this, reader = std::move(reader)](std::uint64_t key) { reader->get((*keys_)[key]); };
  });
}

Sample RawEngine::synced_writes(const Load& load, Keys& keys, std::size_t batch) {
  batch = std::max<std::size_t>(1, batch);
  Sample sample = run_blocking(load, keys, {}, [&](std::uint64_t first) {
    std::vector<std::uint64_t> sorted = {first};
    while (sorted.size() < batch) sorted.push_back(keys.next());
    std::ranges::sort(sorted);
    commit_keys(sorted);
  });
  sample.cpu_us /= static_cast<double>(batch);
  return sample;
}

}  // namespace bench

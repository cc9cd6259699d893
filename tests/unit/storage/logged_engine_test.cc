#include "storage/logged_engine.h"

#include <dynamo/storage/memory.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

// The log in front of an engine. What of it is on a disk after a power cut, disk_faults/ tells.
namespace {

namespace fs = std::filesystem;
using dynamo::StorageEngine;
using dynamo::storage::LoggedEngine;
using dynamo::storage::WriteAheadLog;
using Contents = std::map<std::string, std::string>;

// So small that everything moves often.
constexpr LoggedEngine::Limits small{.at_least = 2000, .at_most = 2000};

// What outlives the engine in front of it; `before` is called before each write, and may refuse it.
class Behind final : public StorageEngine {
 public:
  explicit Behind(StorageEngine& engine) : engine_(engine) {}

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) override {
    return engine_.read(key, visit);
  }
  absl::Status write(std::span<const Write> batch) override {
    if (before) {
      if (absl::Status refused = before(); !refused.ok()) return refused;
    }
    records += batch.size();
    return engine_.write(batch);
  }
  absl::Status scan(std::string_view from,
                    absl::FunctionRef<bool(std::string_view, std::string_view)> visit) override {
    return engine_.scan(from, visit);
  }

  std::function<absl::Status()> before{};
  std::size_t records = 0;  // that it got

 private:
  StorageEngine& engine_;
};

Contents contents_of(StorageEngine& engine, std::string_view from = {}, std::size_t limit = 1000) {
  Contents contents;
  CHECK(engine
            .scan(from,
                  [&](std::string_view key, std::string_view record) {
                    contents.emplace(key, record);
                    return contents.size() < limit;
                  })
            .ok());
  return contents;
}

// An engine that grows whenever it is looked at, and so do logs that may.
std::size_t growing(const fs::path&) {
  static std::atomic<std::size_t> bytes{0};
  return bytes += 500;
}

// An engine with a log, in front of one that outlives it.
struct Logged {
  Logged(const fs::path& directory, StorageEngine& outlives,
         const LoggedEngine::Limits& limits = small) {
    auto owned = std::make_unique<Behind>(outlives);
    behind = owned.get();
    auto opened = LoggedEngine::open(std::move(owned), directory, limits, growing);
    REQUIRE(opened.ok());
    engine = *std::move(opened);
  }
  Behind* behind = nullptr;
  std::unique_ptr<StorageEngine> engine{};
};

// Puts and erases of some of 30 keys; one batch in ten is too large for the log.
class Work {
 public:
  absl::Status write(StorageEngine& engine) {
    std::vector<std::pair<std::string, std::optional<std::string>>> changes;
    const bool large = random_() % 10 == 0;
    for (std::size_t i = 0; i < 1 + random_() % 5; ++i) {
      std::string key = "key " + std::to_string(random_() % 30);
      const std::size_t size = large ? 500 + random_() % 500 : random_() % 60;
      std::string record = std::to_string(++number_) + ":" + std::string(size, '.');
      const bool erases = random_() % 4 == 0;
      changes.emplace_back(std::move(key),
                           erases ? std::nullopt : std::optional(std::move(record)));
    }
    std::vector<StorageEngine::Write> batch;
    for (const auto& [key, record] : changes) batch.push_back({.key = key, .record = record});
    next_ = expected_;
    for (const auto& [key, record] : changes) {
      if (record) next_[key] = *record;
      if (!record) next_.erase(key);
    }
    absl::Status written = engine.write(batch);
    if (written.ok()) expected_ = next_;
    return written;
  }

  // What there is, and what there will be after the write under way.
  const Contents& expected() const { return expected_; }
  const Contents& next() const { return next_; }
  std::mt19937_64& random() { return random_; }

 private:
  std::mt19937_64 random_{20071014};
  Contents expected_;
  Contents next_;
  int number_ = 0;
};

TEST_CASE("an engine behind a log holds what a map would, in all its lives") {
  const bool stays = GENERATE(false, true);
  const bool grows = GENERATE(false, true);
  LoggedEngine::Limits limits = small;
  if (stays) limits.at_stop = 500;
  if (grows) limits.at_most = 8000;
  const test::TemporaryDirectory temporary;
  const auto outlives = dynamo::memory_storage();
  Work work;
  int moves = 0;
  for (int life = 0; life < 20; ++life) {
    const Logged logged(temporary.path(), *outlives, limits);
    logged.behind->before = [&] { return ++moves, absl::OkStatus(); };
    for (int i = 0; i < 100; ++i) {
      REQUIRE(work.write(*logged.engine).ok());
      const std::string key = "key " + std::to_string(work.random()() % 31);
      const auto known = work.expected().find(key);
      CHECK(test::get(*logged.engine, key) ==
            (known == work.expected().end() ? "(absent)" : known->second));
      if (i % 5 != 0) continue;
      CHECK(contents_of(*logged.engine) == work.expected());
      const std::size_t limit = 1 + work.random()() % 5;
      Contents some(work.expected().lower_bound(key), work.expected().end());
      while (some.size() > limit) some.erase(std::prev(some.end()));
      CHECK(contents_of(*logged.engine, key, limit) == some);
    }
  }
  CHECK(moves > 400);
  if (stays) {
    CHECK(contents_of(*outlives) != work.expected());
    CHECK(contents_of(*Logged(temporary.path(), *outlives).engine) == work.expected());
    return;
  }
  // Nothing is left in the log when it is closed.
  CHECK(contents_of(*outlives) == work.expected());
  for (const char* name : LoggedEngine::file_names) {
    CHECK(WriteAheadLog::open(temporary.path(), name, 0, [](std::string_view, const char*) {
          })->bytes() == 0);
  }
}

// As the process would leave them if it were killed there.
TEST_CASE("between any two writes of the engine behind it there is what was acknowledged") {
  const test::TemporaryDirectory temporary;
  const auto outlives = dynamo::memory_storage();
  Work work;
  int deaths = 0;
  const Logged logged(temporary.path(), *outlives);
  const auto die_here = [&] {
    const test::TemporaryDirectory copy;
    for (const char* name : LoggedEngine::file_names) {
      const fs::path file = temporary.path() / name;
      if (fs::exists(file)) fs::copy_file(file, copy.path() / name);
    }
    const auto left = dynamo::memory_storage();
    for (const auto& [key, record] : contents_of(*outlives)) {
      REQUIRE(test::put(*left, key, record).ok());
    }
    const Logged after(copy.path(), *left);
    const Contents found = contents_of(*after.engine);
    CHECK((found == work.expected() || found == work.next()));
    ++deaths;
    return absl::OkStatus();
  };
  logged.behind->before = die_here;
  for (int i = 0; i < 400; ++i) {
    REQUIRE(work.write(*logged.engine).ok());
    CHECK(die_here().ok());
  }
  CHECK(deaths > 500);
  logged.behind->before = {};
}

TEST_CASE("while the engine behind a log has no room writes are refused, and nothing is lost") {
  const test::TemporaryDirectory temporary;
  const auto outlives = dynamo::memory_storage();
  Work work;
  int refused = 0;
  {
    const Logged logged(temporary.path(), *outlives);
    bool full = false;
    int until_full = 0;
    logged.behind->before = [&]() -> absl::Status {
      // Some of the commits of one move succeed.
      if (!full || until_full-- > 0) return absl::OkStatus();
      return absl::ResourceExhaustedError("full");
    };
    for (int i = 0; i < 600; ++i) {
      full = i % 100 > 30;
      if (full && until_full < 0) until_full = static_cast<int>(work.random()() % 3);
      const absl::Status written = work.write(*logged.engine);
      CHECK((written.ok() || (full && absl::IsResourceExhausted(written))));
      if (!written.ok()) ++refused;
      CHECK(contents_of(*logged.engine) == work.expected());
    }
    full = true;
  }
  CHECK(refused > 50);
  // It was closed when it was full: what could not be moved is in the log still.
  const Logged again(temporary.path(), *outlives);
  CHECK(contents_of(*again.engine) == work.expected());
}

// All of a full log moved while the batch that found it full waited: with five million keys, and so
// a page to write for each record, for seconds.
TEST_CASE(
    "a small batch waits for a part of a log at most, and there is never more than two of them") {
  const test::TemporaryDirectory temporary;
  const auto outlives = dynamo::memory_storage();
  const Logged logged(temporary.path(), *outlives,
                      {.at_least = 100'000, .at_most = 100'000, .part_at_most = 5000});
  constexpr std::size_t record_bytes = 100;
  std::size_t most = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t before = logged.behind->records;
    REQUIRE(test::put(*logged.engine, "key " + std::to_string(i * 7919 % 10'007),
                      std::string(record_bytes, 'x'))
                .ok());
    most = std::max(most, logged.behind->records - before);
  }
  CHECK(most <= 5000 / record_bytes + 1);
  CHECK(logged.behind->records > 10'000 - 2 * 100'000 / record_bytes);
  std::uintmax_t bytes = 0;
  for (const char* name : LoggedEngine::file_names) bytes += fs::file_size(temporary.path() / name);
  CHECK(bytes < 300'000);
}

// A log whose length was found when it became full stayed as short as it was while nothing but
// large batches came, and they were all large for it.
TEST_CASE("a log grows with its engine though all batches were too large for it") {
  const test::TemporaryDirectory temporary;
  const auto outlives = dynamo::memory_storage();
  const Logged logged(temporary.path(), *outlives,
                      {.at_least = 1000, .at_most = 100'000, .part_of_engine = 4});
  REQUIRE(test::put(*logged.engine, "small", "x").ok());
  CHECK(logged.behind->records == 0);
  std::size_t passed = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::size_t before = logged.behind->records;
    REQUIRE(test::put(*logged.engine, "large", std::string(10'000, 'x')).ok());
    if (logged.behind->records == before) ++passed;
  }
  CHECK(passed > 300);
  CHECK(test::get(*logged.engine, "small") == "x");
}

// The index of a log is in memory, and an erase takes as much of it as a large record.
TEST_CASE("a log of erases is full when its index is") {
  const test::TemporaryDirectory temporary;
  const auto outlives = dynamo::memory_storage();
  const Logged logged(temporary.path(), *outlives, {.at_least = 128'000, .at_most = 128'000});
  constexpr std::size_t records_max = 1000;
  std::size_t most = 0;
  for (std::size_t batch = 0; batch < 100; ++batch) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < 100; ++i) keys.push_back(std::to_string(batch * 100 + i));
    std::vector<StorageEngine::Write> erases;
    for (const std::string& key : keys) erases.push_back({.key = key, .record = std::nullopt});
    REQUIRE(logged.engine->write(erases).ok());
    most = std::max(most, (batch + 1) * 100 - logged.behind->records);
  }
  CHECK(most <= 2 * records_max);
  CHECK(most > records_max);
}

TEST_CASE("readers beside the writer of a log see each key go forward only") {
  const test::TemporaryDirectory temporary;
  const auto outlives = dynamo::memory_storage();
  const Logged logged(temporary.path(), *outlives);
  REQUIRE(test::put(*logged.engine, "count", "100000").ok());
  std::atomic<bool> done{false};
  std::atomic<int> backward{0};
  const auto read = [&](bool scanning) {
    for (std::string last = "100000"; !done;) {
      std::string seen;
      if (scanning) {
        const auto keep = [&](std::string_view, std::string_view record) {
          seen = record;
          return true;
        };
        if (!logged.engine->scan("count", keep).ok()) ++backward;
      } else {
        seen = test::get(*logged.engine, "count");
      }
      if (seen < last) ++backward;
      last = seen;
    }
  };
  std::thread reader(read, false);
  std::thread scanner(read, true);
  bool written = true;
  for (int i = 100'001; i < 103'000; ++i) {
    written = test::put(*logged.engine, "count", std::to_string(i)).ok() && written;
  }
  done = true;
  reader.join();
  scanner.join();
  CHECK(written);
  CHECK(backward == 0);
}

}  // namespace

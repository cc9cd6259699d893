#include "testing/storage_engine_race.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "testing/storage_engine_model.h"

// Every batch gives all keys a record of the same one byte, repeated, its generation. So a batch
// that is seen in half shows as two generations in one scan, and a record that changes or is freed
// under its visitor as two bytes in one record.
namespace dynamo::testing {
namespace {

constexpr int generations = 120;  // fits into a char
constexpr int scanners = 2;
constexpr std::size_t keys = 32;
constexpr std::size_t record_bytes = 3000;

struct Race {
  explicit Race(StorageEngine& raced) : engine(raced) {}

  StorageEngine& engine;
  std::atomic<bool> over{false};

  std::mutex mutex;
  std::string wrong;  // guarded: the first thing that was

  void found_wrong(std::string what) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (wrong.empty()) wrong = std::move(what);
    over.store(true);
  }
};

std::string key_of(std::size_t index) { return fmt::format("key {:02}", index); }

// The generation of a record, or -1 if it is not of one.
int generation_of(std::string_view record) {
  const bool whole =
      record.size() == record_bytes &&
      std::all_of(record.begin(), record.end(), [&](char byte) { return byte == record.front(); });
  return whole ? record.front() : -1;
}

// Returns the generation it saw, 0 if none yet.
int scan_once(Race& race, int oldest) {
  int seen = 0;
  std::size_t visits = 0;
  const absl::Status scanned =
      race.engine.scan({}, [&](std::string_view key, std::string_view record) {
        const int generation = generation_of(record);
        if (visits++ == 0) seen = generation;
        if (generation == seen && generation > 0) return true;
        race.found_wrong(fmt::format(
            "a scan during writes saw generation {} of {} and {} of a key before it (-1: "
            "a record that changed while it was visited)",
            generation, quote(key), seen));
        return false;
      });
  if (!scanned.ok()) race.found_wrong("a scan during writes failed: " + scanned.ToString());
  if (visits != 0 && visits != keys) {
    race.found_wrong(fmt::format("a scan during writes saw {} of {} keys", visits, keys));
  }
  if (seen < oldest) {
    race.found_wrong(fmt::format("a scan saw generation {} after one that saw {}", seen, oldest));
  }
  return seen;
}

void scan_until_over(Race& race) {
  int oldest = 0;
  while (!race.over.load()) oldest = std::max(oldest, scan_once(race, oldest));
}

void read_until_over(Race& race) {
  int oldest = 0;
  for (std::size_t i = 0; !race.over.load(); ++i) {
    const std::string key = key_of(i % keys);
    int generation = 0;
    const absl::StatusOr<bool> found =
        race.engine.read(key, [&](std::string_view record) { generation = generation_of(record); });
    if (!found.ok()) {
      race.found_wrong("a read during writes failed: " + found.status().ToString());
    } else if (generation < oldest) {
      race.found_wrong(
          fmt::format("a read of {} saw generation {} after {} was seen (-1: a record "
                      "that changed while it was visited)",
                      quote(key), generation, oldest));
    }
    oldest = std::max(oldest, generation);
  }
}

void write_all_generations(Race& race) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < keys; ++i) names.push_back(key_of(i));
  for (int generation = 1; generation <= generations && !race.over.load(); ++generation) {
    const std::string record(record_bytes, static_cast<char>(generation));
    std::vector<StorageEngine::Write> batch;
    for (const std::string& name : names) batch.push_back({.key = name, .record = record});
    const absl::Status written = race.engine.write(batch);
    if (!written.ok()) race.found_wrong("a write beside readers failed: " + written.ToString());
  }
  race.over.store(true);
}

}  // namespace

absl::Status readers_see_whole_batches(StorageEngine& engine) {
  Race race(engine);
  std::vector<std::thread> readers;
  for (int i = 0; i < scanners; ++i) readers.emplace_back([&race] { scan_until_over(race); });
  readers.emplace_back([&race] { read_until_over(race); });
  write_all_generations(race);
  for (std::thread& reader : readers) reader.join();
  const std::lock_guard<std::mutex> lock(race.mutex);
  return race.wrong.empty() ? absl::OkStatus() : broken(race.wrong);
}

}  // namespace dynamo::testing

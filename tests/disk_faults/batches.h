#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <dynamo/storage_engine.h>

// Random work for an engine, and what it must hold afterwards.
namespace test {

// What an engine holds; copies share their records.
using Contents = std::map<std::string, std::shared_ptr<const std::string>>;

// One change of a batch; null erases.
struct Change {
  std::string key{};
  std::shared_ptr<const std::string> record{};
};
using ChangeBatch = std::vector<Change>;

// One to twelve puts, overwrites and erases among 60 keys, of records that share a page, fill one,
// or take several of their own; now and then a batch that erases most of what there is.
inline ChangeBatch random_batch(std::mt19937_64& random) {
  ChangeBatch batch;
  const bool erasing = random() % 12 == 0;
  const std::size_t changes = erasing ? 40 : 1 + random() % 12;
  for (std::size_t i = 0; i < changes; ++i) {
    Change change{.key = "key " + std::to_string(random() % 60), .record = nullptr};
    if (!erasing && random() % 5 != 0) {
      // Statements of their own: in one expression their order is the compiler's.
      const std::size_t limits[] = {0, 40, 300, 2000, 9000, 30'000};
      const std::size_t sizes = random() % 4 == 0 ? 6 : 4;
      const std::size_t limit = limits[random() % sizes];
      const std::size_t size = limit == 0 ? 0 : 1 + random() % limit;
      const auto filler = static_cast<char>('a' + random() % 26);
      std::string record = std::to_string(random()) + ":";
      record.resize(size, filler);
      change.record = std::make_shared<const std::string>(std::move(record));
    }
    batch.push_back(std::move(change));
  }
  return batch;
}

inline void apply(const ChangeBatch& batch, Contents& contents) {
  for (const Change& change : batch) {
    if (change.record) {
      contents[change.key] = change.record;
    } else {
      contents.erase(change.key);
    }
  }
}

inline absl::Status write_all(dynamo::StorageEngine& engine, const ChangeBatch& batch) {
  std::vector<dynamo::StorageEngine::Write> writes;
  for (const Change& change : batch) {
    writes.push_back({.key = change.key, .record = std::nullopt});
    if (change.record) writes.back().record = *change.record;
  }
  return engine.write(writes);
}

// All that the engine holds.
inline absl::StatusOr<Contents> read_all(dynamo::StorageEngine& engine) {
  Contents contents;
  const absl::Status status =
      engine.scan({}, [&contents](std::string_view key, std::string_view record) {
        contents[std::string(key)] = std::make_shared<const std::string>(record);
        return true;
      });
  if (!status.ok()) return status;
  return contents;
}

inline bool equal(const Contents& left, const Contents& right) {
  return std::equal(
      left.begin(), left.end(), right.begin(), right.end(),
      [](const auto& a, const auto& b) { return a.first == b.first && *a.second == *b.second; });
}

}  // namespace test

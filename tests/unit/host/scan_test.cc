#include "host/scan.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <dynamo/storage/lmdb.h>
#include <dynamo/storage/memory.h>

#include "base/prng.h"
#include "catch.hpp"
#include "unit/storage/temporary_directory.h"

using dynamo::core::TimePoint;
using dynamo::host::ObjectBuffer;
using dynamo::host::scan_merged;

namespace {

using Records = std::map<std::string, std::string>;

// All records, in chunks of `limit`; no chunk may visit more.
Records all(const ObjectBuffer& buffer, dynamo::StorageEngine& engine, std::size_t limit) {
  Records records;
  std::string from;
  do {
    std::size_t visited = 0;
    const absl::StatusOr<std::string> next = scan_merged(
        buffer, engine, from, limit, [&](std::string_view key, std::string_view record) {
          ++visited;
          CHECK((records.empty() || records.rbegin()->first < key));
          records.emplace(key, record);
        });
    REQUIRE(next.ok());
    CHECK(visited <= limit);
    CHECK((next->empty() || *next > from));
    from = *next;
  } while (!from.empty());
  return records;
}

}  // namespace

TEST_CASE("scan: what the buffer says counts, erased records too") {
  const auto engine = dynamo::memory_storage();
  REQUIRE(engine
              ->write(std::vector<dynamo::StorageEngine::Write>{
                  {"a", "old"}, {"b", "old"}, {"d", "old"}})
              .ok());
  ObjectBuffer buffer(TimePoint(0));
  buffer.put({.write = 1, .key = "b", .record = "new"}, {});
  buffer.put({.write = 2, .key = "c", .record = "new"}, {});
  buffer.put({.write = 3, .key = "d", .record = std::nullopt}, {});
  buffer.put({.write = 4, .key = "e", .record = std::nullopt}, {});
  const Records expected = {{"a", "old"}, {"b", "new"}, {"c", "new"}};
  for (std::size_t limit = 1; limit <= 6; ++limit) {
    CAPTURE(limit);
    CHECK(all(buffer, *engine, limit) == expected);
  }
  // And so once the batch is on disk.
  const ObjectBuffer::Batch batch = buffer.take({}, true);
  std::vector<dynamo::StorageEngine::Write> writes;
  for (const ObjectBuffer::Item& item : batch) {
    writes.push_back({item.key(), item.content.record()});
  }
  REQUIRE(engine->write(writes).ok());
  buffer.written(batch);
  CHECK(buffer.bytes() == 0);
  CHECK(all(buffer, *engine, 2) == expected);
}

TEST_CASE("scan: random buffers over random engines, in chunks of any size") {
  const std::uint64_t seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{30}));
  CAPTURE(seed);
  dynamo::core::Prng prng(seed);
  const auto engine = dynamo::memory_storage();
  ObjectBuffer buffer(TimePoint(0));
  Records expected;
  for (int i = 0; i < 40; ++i) {
    const std::string key(1, static_cast<char>('a' + prng.next() % 26));
    const std::string record = std::to_string(i);
    const bool erase = prng.next() % 3 == 0;
    const std::optional<std::string> written = erase ? std::nullopt : std::optional(record);
    if (i < 20) {
      REQUIRE(engine->write(std::vector<dynamo::StorageEngine::Write>{{key, written}}).ok());
    } else {
      buffer.put({.write = 1, .key = key, .record = written}, {});
    }
    expected.erase(key);
    if (!erase) expected.emplace(key, record);
  }
  CHECK(all(buffer, *engine, 1 + prng.next() % 12) == expected);
}

// A read transaction that was held between the chunks would keep every page that is freed
// meanwhile.
TEST_CASE("a scan that pauses between its chunks keeps no pages of the engine") {
  const test::TemporaryDirectory temporary;
  const auto engine = dynamo::lmdb_storage({.path = temporary.path()});
  REQUIRE(engine.ok());
  const ObjectBuffer buffer(TimePoint(0));
  const auto file_bytes = [&] { return std::filesystem::file_size(temporary.path() / "data.mdb"); };
  const auto overwrite = [&](char with) {
    const std::string record(3000, with);
    for (int key = 0; key < 200; ++key) {
      const std::string name = std::to_string(1000 + key);
      const dynamo::StorageEngine::Write write{.key = name, .record = record};
      REQUIRE((*engine)->write({&write, 1}).ok());
    }
  };
  overwrite('a');
  overwrite('b');
  const std::size_t before = file_bytes();
  std::string from;
  int chunks = 0;
  std::size_t seen = 0;
  do {
    const auto next = scan_merged(buffer, **engine, from, 20,
                                  [&](std::string_view, std::string_view) { ++seen; });
    REQUIRE(next.ok());
    from = *next;
    ++chunks;
    overwrite(static_cast<char>('a' + chunks));
  } while (!from.empty());
  CHECK(seen == 200);
  CHECK(chunks >= 10);
  CHECK(file_bytes() <= before + before / 10);
}

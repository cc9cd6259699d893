#include "storage/lmdb_records.h"

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "unit/storage/engine_access.h"
#include "unit/storage/lmdb_pages.h"
#include "unit/storage/temporary_directory.h"

// Records whose end has pages of its own: that nobody sees it, and what it saves.
namespace {

using dynamo::StorageEngine;
using dynamo::storage::LmdbRecords;
using Records = std::map<std::string, std::string>;

constexpr std::size_t page = 4096;

std::unique_ptr<StorageEngine> open(const test::TemporaryDirectory& directory) {
  auto engine = test::open_without_log(directory.path());
  REQUIRE(engine.ok());
  return *std::move(engine);
}

Records all(StorageEngine& engine, const std::string& from = {}) {
  Records records;
  std::string last;
  REQUIRE(engine
              .scan(from,
                    [&](std::string_view key, std::string_view record) {
                      CHECK(last < key);
                      last = std::string(key);
                      records.emplace(key, record);
                      return true;
                    })
              .ok());
  return records;
}

std::string record_of(std::size_t bytes, char first) {
  std::string record(bytes, first);
  for (std::size_t i = 0; i < bytes; i += 97) record[i] = static_cast<char>(i);
  return record;
}

}  // namespace

TEST_CASE("what of a record lies among the small ones leaves whole pages") {
  std::size_t divided = 0;
  for (std::size_t bytes = 0; bytes < 5 * page; ++bytes) {
    const std::size_t beginning = LmdbRecords::beginning_of(bytes, page);
    if (beginning == 0) continue;
    ++divided;
    REQUIRE(beginning < page / 2);
    REQUIRE((bytes - beginning + 16) % page == 0);
    REQUIRE(bytes > beginning);
  }
  CHECK(divided > page);
  CHECK(LmdbRecords::beginning_of(200, page) == 0);
  CHECK(LmdbRecords::beginning_of(page - 16, page) == 0);  // a page, and nothing over
  CHECK(LmdbRecords::beginning_of(page - 15, page) == 1);
  CHECK(LmdbRecords::beginning_of(2 * page - 17, page) == 0);  // two are as good
}

TEST_CASE("records of all sizes are written over by others and erased, and read as they are") {
  const test::TemporaryDirectory directory;
  auto engine = open(directory);
  // One more zero byte lies between a key and that of its end.
  const std::vector<std::string> keys = {"a", std::string("a\0", 2), std::string("a\0\0", 3), "b",
                                         std::string(128, 'c')};
  const std::vector<std::size_t> sizes = {0,        10,       2000,        page - 16,
                                          page,     page + 9, 2 * page,    3 * page - 200,
                                          9 * page, 70'000,   2 * page - 1};
  Records expected;
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i) {
    const std::string& key = keys[random() % keys.size()];
    if (random() % 4 == 0) {
      REQUIRE(test::erase(*engine, key).ok());
      expected.erase(key);
    } else {
      expected[key] =
          record_of(sizes[random() % sizes.size()] + random() % 3, static_cast<char>('a' + i % 26));
      REQUIRE(test::put(*engine, key, expected[key]).ok());
    }
    const auto known = expected.find(key);
    REQUIRE(test::get(*engine, key) == (known == expected.end() ? "(absent)" : known->second));
    if (i % 100 == 0) REQUIRE(all(*engine) == expected);
    if (i % 500 == 499) engine = open((engine.reset(), directory));
  }
  CHECK(all(*engine, "a") == expected);
  for (const std::string& key : keys) REQUIRE(test::erase(*engine, key).ok());
  CHECK(all(*engine).empty());
}

TEST_CASE("a record that only looks as if it had an end is read as it is") {
  const test::TemporaryDirectory directory;
  auto engine = open(directory);
  REQUIRE(test::put(*engine, "large", record_of(page + 50, 'x')).ok());
  // What the database has of it: its beginning and the mark.
  const std::string looks = record_of(66, 'x') + "\x9e\x37\xd1\x05\xc4\x6b\xfa\x82";
  REQUIRE(test::put(*engine, "small", looks).ok());
  CHECK(test::get(*engine, "small") == looks);
  REQUIRE(test::put(*engine, "large", looks).ok());
  CHECK(test::get(*engine, "large") == looks);
  CHECK(all(*engine) == Records{{"large", looks}, {"small", looks}});
}

TEST_CASE("records of a little more than a page take little more than a page") {
  const test::TemporaryDirectory directory;
  constexpr std::size_t bytes = page + 130;
  constexpr std::size_t count = 500;
  {
    const auto engine = open(directory);
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < count; ++i) {
      REQUIRE(test::put(*engine, std::to_string(random()), record_of(bytes, 'x')).ok());
    }
    CHECK(all(*engine).size() == count);
  }
  CHECK(static_cast<double>(test::page_bytes(directory.path())) < 1.15 * bytes * count);
}

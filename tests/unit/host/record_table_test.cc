#include "host/record_table.h"

#include <string>

#include "catch.hpp"
#include "host/unwritten.h"

using dynamo::host::Content;
using dynamo::host::RecordTable;
using dynamo::host::Unwritten;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

std::uint64_t hash_of(const std::string& key) { return RecordTable::hash_of(key); }

RecordTable::Answer ask(const RecordTable& table, const std::string& key) {
  return table.read(hash_of(key), key, [](std::string_view) {});
}

std::string found(const RecordTable& table, const std::string& key) {
  std::string record = "nothing";
  const auto answer =
      table.read(hash_of(key), key, [&](std::string_view bytes) { record = std::string(bytes); });
  return answer.found == RecordTable::Found::erased ? "erased" : record;
}

void keep(RecordTable& table, const std::string& key, const std::string& record) {
  table.keep(hash_of(key), key, record, ask(table, key).stamp);
}

RecordTable::Entry& write(RecordTable& table, const std::string& key, const std::string& record,
                          Unwritten& unwritten) {
  Content content{std::string_view(record)};
  return table.write(hash_of(key), key, content, unwritten);
}

}  // namespace

TEST_CASE("table: what the engine said is read until something newer is written") {
  RecordTable table(mebibyte);
  CHECK(found(table, "a") == "nothing");
  keep(table, "a", "tea");
  keep(table, "b", "");
  CHECK(found(table, "a") == "tea");
  CHECK(found(table, "b").empty());
  Unwritten unwritten;
  RecordTable::Entry& entry = write(table, "a", "coffee", unwritten);
  CHECK(entry.unwritten == &unwritten);
  CHECK(found(table, "a") == "coffee");
  keep(table, "a", "tea");  // whoever asked before
  CHECK(found(table, "a") == "coffee");
  table.settle(entry);
  CHECK(found(table, "a") == "coffee");
  CHECK(table.bytes() > 0);
}

TEST_CASE("table: a write tells what it replaces, and keeps what is known of the unwritten") {
  RecordTable table(mebibyte);
  Unwritten first;
  Unwritten second;
  write(table, "a", "tea", first);
  Content content{std::string_view("coffee")};
  RecordTable::Entry& entry = table.write(hash_of("a"), "a", content, second);
  CHECK(entry.unwritten == &first);
  CHECK(content.record() == "tea");
  CHECK(entry.key() == "a");
  table.drop(entry);
  CHECK(found(table, "a") == "nothing");
}

// It was read from the engine before the newer one was here, and comes after that has gone again.
TEST_CASE("table: what was read before something newer was written is not kept") {
  RecordTable table(mebibyte);
  const RecordTable::Answer before = ask(table, "a");
  Unwritten unwritten;
  table.drop(write(table, "a", "new", unwritten));
  table.keep(hash_of("a"), "a", "old", before.stamp);
  CHECK(found(table, "a") == "nothing");
  keep(table, "a", "new");
  CHECK(found(table, "a") == "new");
}

TEST_CASE("table: what is erased is here until the engine has erased it") {
  RecordTable table(mebibyte);
  keep(table, "a", "tea");
  Unwritten unwritten;
  Content gone{std::optional<std::string>()};
  RecordTable::Entry& entry = table.write(hash_of("a"), "a", gone, unwritten);
  CHECK(found(table, "a") == "erased");
  table.settle(entry);
  CHECK(found(table, "a") == "nothing");
  CHECK(table.bytes() == 0);
}

TEST_CASE("table: it holds no more than it may, and most of what it can") {
  RecordTable table(mebibyte);
  const auto key = [](int i) { return "key" + std::to_string(i); };
  int kept = 0;
  for (int i = 0; i < 100'000; ++i) {
    keep(table, key(i), std::string(200, 'x'));
    if (i % 1000 == 0) CHECK(table.bytes() <= mebibyte);
  }
  for (int i = 0; i < 100'000; ++i) kept += found(table, key(i)) == "nothing" ? 0 : 1;
  CHECK(kept > 2000);  // of 3,500 that there is room for
  CHECK(table.bytes() <= mebibyte);
  const std::string large(RecordTable::record_bytes_max + 1, 'x');
  keep(table, "large", large);
  CHECK(found(table, "large") == "nothing");
}

TEST_CASE("table: what is read again and again stays, whatever else comes along") {
  RecordTable table(mebibyte);
  keep(table, "often", "tea");
  for (int i = 0; i < 20'000; ++i) {
    keep(table, "key" + std::to_string(i), std::string(200, 'x'));
    REQUIRE(found(table, "often") == "tea");
  }
}

TEST_CASE("table: what the engine does not have yet stays, whatever its size and number") {
  RecordTable table(mebibyte);
  std::vector<Unwritten> unwritten(10'000);
  std::vector<RecordTable::Entry*> entries;
  const auto key = [](std::size_t i) { return "key" + std::to_string(i); };
  for (std::size_t i = 0; i < unwritten.size(); ++i) {
    entries.push_back(
        &write(table, key(i), std::string(i % 100 == 0 ? 5000 : 200, 'x'), unwritten[i]));
  }
  CHECK(table.bytes() == 0);
  for (std::size_t i = 0; i < unwritten.size(); ++i) CHECK(found(table, key(i)) != "nothing");
  for (RecordTable::Entry* entry : entries) table.settle(*entry);
  CHECK(table.bytes() <= mebibyte);
  CHECK(found(table, key(0)) == "nothing");  // large
}

TEST_CASE("table: without room it keeps nothing that the engine has") {
  RecordTable table(0);
  keep(table, "a", "tea");
  CHECK(found(table, "a") == "nothing");
  Unwritten unwritten;
  RecordTable::Entry& entry = write(table, "a", "coffee", unwritten);
  CHECK(found(table, "a") == "coffee");
  table.settle(entry);
  CHECK(found(table, "a") == "nothing");
  CHECK(table.bytes() == 0);
}

#include "host/record_table.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "host/unwritten.h"

using dynamo::core::Prng;
using dynamo::host::Content;
using dynamo::host::ReadSections;
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

Unwritten& write(RecordTable& table, const std::string& key, std::optional<std::string> record,
                 Unwritten& unwritten) {
  return table.write(hash_of(key), Content(key, std::move(record)), unwritten);
}

void settle(RecordTable& table, const std::string& key) { table.settle(hash_of(key), key); }

}  // namespace

TEST_CASE("table: what the engine said is read until something newer is written") {
  RecordTable table(mebibyte);
  CHECK(found(table, "a") == "nothing");
  keep(table, "a", "tea");
  keep(table, "b", "");
  CHECK(found(table, "a") == "tea");
  CHECK(found(table, "b").empty());
  Unwritten unwritten;
  CHECK(&write(table, "a", "coffee", unwritten) == &unwritten);
  CHECK(found(table, "a") == "coffee");
  keep(table, "a", "tea");  // whoever asked before
  CHECK(found(table, "a") == "coffee");
  settle(table, "a");
  CHECK(found(table, "a") == "coffee");
  CHECK(table.bytes() > 0);
}

TEST_CASE("table: what is known of an unwritten record stays with it") {
  RecordTable table(mebibyte);
  Unwritten first;
  Unwritten second;
  write(table, "a", "tea", first);
  CHECK(&write(table, "a", "coffee", second) == &first);
  CHECK(found(table, "a") == "coffee");
  table.drop(hash_of("a"), "a");
  CHECK(found(table, "a") == "nothing");
  CHECK(&write(table, "a", "tea", second) == &second);
}

// It was read from the engine before the newer one was here, and comes after that has gone again.
TEST_CASE("table: what was read before something newer was written is not kept") {
  RecordTable table(mebibyte);
  const RecordTable::Answer before = ask(table, "a");
  Unwritten unwritten;
  write(table, "a", "new", unwritten);
  table.drop(hash_of("a"), "a");
  table.keep(hash_of("a"), "a", "old", before.stamp);
  CHECK(found(table, "a") == "nothing");
  keep(table, "a", "new");
  CHECK(found(table, "a") == "new");
}

TEST_CASE("table: what is erased is here until the engine has erased it") {
  RecordTable table(mebibyte);
  keep(table, "a", "tea");
  Unwritten unwritten;
  write(table, "a", std::nullopt, unwritten);
  CHECK(found(table, "a") == "erased");
  settle(table, "a");
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

// With many more keys than there is room for, each read put one in the place of another, for
// nothing, since the next that was read was hardly ever one of them.
TEST_CASE("table: what is asked for once takes nobody's place, and what is asked for twice does") {
  RecordTable table(mebibyte);
  const auto key = [](int i) { return "key" + std::to_string(i); };
  const std::string record(200, 'x');
  for (int i = 0; i < 2000; ++i) keep(table, key(i), record);
  const std::size_t full = table.bytes();
  const auto kept = [&](int from, int to) {
    int count = 0;
    for (int i = from; i < to; ++i) count += found(table, key(i)) == "nothing" ? 0 : 1;
    return count;
  };
  const int before = kept(0, 2000);
  for (int i = 2000; i < 12'000; ++i) keep(table, key(i), record);
  CHECK(table.bytes() >= full);
  CHECK(kept(0, 2000) > before * 8 / 10);
  CHECK(kept(11'000, 12'000) < 200);
  for (int i = 11'000; i < 12'000; ++i) keep(table, key(i), record);
  CHECK(kept(11'000, 12'000) > 700);
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
  const auto key = [](std::size_t i) { return "key" + std::to_string(i); };
  for (std::size_t i = 0; i < unwritten.size(); ++i) {
    write(table, key(i), std::string(i % 100 == 0 ? 5000 : 200, 'x'), unwritten[i]);
  }
  CHECK(table.bytes() == 0);
  for (std::size_t i = 0; i < unwritten.size(); ++i) CHECK(found(table, key(i)) != "nothing");
  for (std::size_t i = 0; i < unwritten.size(); ++i) settle(table, key(i));
  CHECK(table.bytes() <= mebibyte);
  CHECK(found(table, key(0)) == "nothing");  // large
}

TEST_CASE("table: without room it keeps nothing that the engine has") {
  RecordTable table(0);
  keep(table, "a", "tea");
  CHECK(found(table, "a") == "nothing");
  Unwritten unwritten;
  write(table, "a", "coffee", unwritten);
  CHECK(found(table, "a") == "coffee");
  settle(table, "a");
  CHECK(found(table, "a") == "nothing");
  CHECK(table.bytes() == 0);
}

// A record lies in the slot that its hash says or behind it, and moves up when another goes.
TEST_CASE("table: random writes, reads and drops agree with a map") {
  const std::size_t room = GENERATE(std::size_t{0}, std::size_t{64} << 10, mebibyte);
  RecordTable table(room);
  Prng prng(room + 1);
  std::map<std::string, std::string> engine;
  std::map<std::string, std::string> newer;
  std::vector<std::unique_ptr<Unwritten>> unwritten;
  for (int i = 0; i < 50'000; ++i) {
    const std::string key = std::to_string(prng.below(3000));
    const auto at = newer.find(key);
    switch (prng.below(4)) {
      case 0:
        unwritten.push_back(std::make_unique<Unwritten>());
        write(table, key, std::to_string(i), *unwritten.back());
        newer[key] = std::to_string(i);
        break;
      case 1:
        if (at == newer.end()) break;
        engine[key] = at->second;
        newer.erase(at);
        settle(table, key);
        break;
      case 2:
        if (at == newer.end()) break;
        newer.erase(at);
        table.drop(hash_of(key), key);
        break;
      default:
        const std::string here = found(table, key);
        if (at != newer.end()) {
          REQUIRE(here == at->second);
        } else if (here != "nothing") {
          REQUIRE(here == engine.at(key));
        } else if (engine.contains(key)) {
          keep(table, key, engine.at(key));
        }
    }
  }
  CHECK(table.bytes() <= room);
}

namespace {

std::string seen(const RecordTable& table, const std::string& key) {
  std::string record = "nothing";
  const RecordTable::Found found =
      table.look(hash_of(key), key, [&](std::string_view bytes) { record = std::string(bytes); });
  return found == RecordTable::Found::erased ? "erased" : record;
}

}  // namespace

TEST_CASE("table: whoever looks without a lock sees what is read") {
  ReadSections readers;
  RecordTable table(mebibyte, &readers);
  CHECK(seen(table, "a") == "nothing");
  keep(table, "a", "tea");
  CHECK(seen(table, "a") == "tea");
  Unwritten first;
  write(table, "a", "coffee", first);
  CHECK(seen(table, "a") == "coffee");
  CHECK(seen(table, "b") == "nothing");
  Unwritten second;
  write(table, "b", std::nullopt, second);
  CHECK(seen(table, "b") == "erased");
  Unwritten third;
  const std::string large(RecordTable::record_bytes_max + 1, 'x');
  write(table, "c", large, third);
  CHECK(seen(table, "c") == large);
  table.drop(hash_of("c"), "c");
  CHECK(seen(table, "c") == "nothing");
}

// Readers on threads of their own, while records come, change, go and move. A record says which key
// it is of, and its number, which must not fall behind what was acknowledged before.
TEST_CASE("table: whoever looks meanwhile sees nothing freed, of another key or older") {
  constexpr std::size_t keys = 600;
  ReadSections readers;
  RecordTable table(std::size_t{200} * 1024, &readers);  // not enough for all
  std::array<std::atomic<int>, keys> written{};
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::atomic<int> hits{0};
  const auto look = [&](std::size_t place) {
    Prng random(place + 1);
    while (!over) {
      const auto key = static_cast<std::size_t>(random.below(keys));
      const std::string name = "key" + std::to_string(key);
      const int before = written[key];
      const ReadSections::Hold hold = readers.enter(place);
      table.look(hash_of(name), name, [&](std::string_view bytes) {
        ++hits;
        const auto colon = bytes.find(':');
        if (bytes.substr(0, colon) != name) ++wrong;
        if (std::stoi(std::string(bytes.substr(colon + 1))) < before) ++wrong;
      });
    }
  };
  std::thread first(look, 0);
  std::thread second(look, 1);
  Prng random(99);
  std::vector<std::unique_ptr<Unwritten>> unwritten(keys);
  for (int i = 1; i <= 40'000 || hits < 1000; ++i) {
    const auto key = static_cast<std::size_t>(random.below(keys));
    const std::string name = "key" + std::to_string(key);
    if (unwritten[key] != nullptr && random.below(3) == 0) {
      unwritten[key].reset();
      random.below(4) == 0 ? table.drop(hash_of(name), name) : settle(table, name);
      table.tidy();
      continue;
    }
    auto fresh = std::make_unique<Unwritten>();
    std::string record = name + ":" + std::to_string(i) + ":" + std::string(random.below(300), 'x');
    if (&write(table, name, std::move(record), *fresh) == fresh.get()) {
      unwritten[key] = std::move(fresh);
    }
    written[key] = i;
    table.tidy();
  }
  over = true;
  first.join();
  second.join();
  CHECK(wrong == 0);
  CHECK(hits >= 1000);
}

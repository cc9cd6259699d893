#include <dynamo/storage/lmdb.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

// A map that is too small for its data grows under readers and scans. LMDB takes it away from under
// a transaction without a look: what is not held back here reads memory that is gone.
namespace {

using test::ContainsSubstring;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

std::string key_of(int i) { return "key " + std::to_string(i); }

// Each byte depends on the number, so that a page of another record is noticed.
std::string record_of(int i) {
  return std::string(static_cast<std::size_t>(3000 + (i * 37) % 9000),
                     static_cast<char>('a' + i % 26)) +
         std::to_string(i);
}

std::size_t address_space_in_use() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST_CASE("the map grows while others read and scan") {
  const test::TemporaryDirectory temporary;
  const auto engine = dynamo::lmdb_storage({.path = temporary.path(), .map_bytes = mebibyte});
  REQUIRE(engine.ok());
  constexpr int last = 3000;  // 22 MB
  std::atomic<int> written{0};
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<int> reads{0};
  REQUIRE(test::put(**engine, key_of(0), record_of(0)).ok());

  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      for (int i = reader; !done; i += 7) {
        const int key = i % (written + 1);
        if (test::get(**engine, key_of(key)) != record_of(key)) ++wrong;
        ++reads;
      }
    });
  }
  readers.emplace_back([&] {
    while (!done) {
      const int least = written + 1;
      int seen = 0;
      const absl::Status status =
          (*engine)->scan({}, [&](std::string_view key, std::string_view record) {
            ++seen;
            if (record != record_of(std::stoi(std::string(key.substr(4))))) ++wrong;
            return true;
          });
      if (!status.ok() || seen < least) ++wrong;
    }
  });
  absl::Status status;
  for (int i = 1; i <= last && status.ok(); ++i) {
    status = test::put(**engine, key_of(i), record_of(i));
    if (status.ok()) written = i;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  INFO(status.ToString());
  CHECK(status.ok());
  CHECK(wrong == 0);
  CHECK(reads > 0);
}

TEST_CASE("a record larger than the map is stored, and the map opens as large as its file") {
  const test::TemporaryDirectory temporary;
  const std::string large(20 * mebibyte, 'L');
  for (int opening = 0; opening < 2; ++opening) {
    const auto engine = dynamo::lmdb_storage({.path = temporary.path(), .map_bytes = mebibyte});
    REQUIRE(engine.ok());
    if (opening == 1) CHECK(test::get(**engine, "large 0") == large);
    CHECK(test::put(**engine, "large " + std::to_string(opening), large).ok());
    CHECK(test::get(**engine, "large " + std::to_string(opening)) == large);
  }
}

TEST_CASE("growth ends at map_bytes_max, exactly") {
  const test::TemporaryDirectory temporary;
  const auto engine = dynamo::lmdb_storage(
      {.path = temporary.path(), .map_bytes_max = 5 * mebibyte, .map_bytes = 2 * mebibyte});
  REQUIRE(engine.ok());
  absl::Status status;
  int stored = 0;
  while ((status = test::put(**engine, key_of(stored), record_of(stored))).ok()) ++stored;
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(test::message(status), ContainsSubstring("map holds 5242880 bytes") &&
                                        ContainsSubstring("set map_bytes_max higher"));
  CHECK(stored > 300);
  for (int i = 0; i < stored; ++i) REQUIRE(test::get(**engine, key_of(i)) == record_of(i));
}

// Under a limit of the process on address space, which LMDB would meet after it has unmapped.
TEST_CASE("without address space for a larger map writes are refused, and reads go on") {
  const test::TemporaryDirectory temporary;
  const auto engine = dynamo::lmdb_storage(
      {.path = temporary.path(), .map_bytes_max = std::size_t{1} << 60, .map_bytes = mebibyte});
  REQUIRE(engine.ok());
  REQUIRE(test::put(**engine, "key", "before").ok());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  const std::size_t in_use = address_space_in_use();
  if (before.rlim_cur != RLIM_INFINITY || in_use >= std::size_t{1} << 40) {
    WARN("skipped: the address space is limited already, or a sanitizer has taken it");
    return;
  }
  const rlimit none{.rlim_cur = in_use + mebibyte / 2, .rlim_max = before.rlim_max};
  const std::string large(2 * mebibyte, 'L');
  REQUIRE(setrlimit(RLIMIT_AS, &none) == 0);
  const absl::Status status = test::put(**engine, "key", large);
  REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(test::message(status), ContainsSubstring("no more address space"));
  CHECK(test::get(**engine, "key") == "before");
  CHECK(test::put(**engine, "key", large).ok());
  CHECK(test::get(**engine, "key") == large);
}

}  // namespace

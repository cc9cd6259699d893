#include <dynamo/storage/lmdb.h>

#include <fstream>
#include <iterator>
#include <string>

#include "catch.hpp"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

namespace {

using test::ContainsSubstring;
namespace fs = std::filesystem;

TEST_CASE("bad options are refused by name") {
  const absl::Status no_path = dynamo::lmdb_storage({}).status();
  CHECK(no_path.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(test::message(no_path), ContainsSubstring("path"));

  const test::TemporaryDirectory temporary;
  const absl::Status small = test::open(temporary.path(), 4096).status();
  CHECK(small.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(test::message(small), ContainsSubstring("map_bytes_max") && ContainsSubstring("4096"));
}

TEST_CASE("a map that the address space has no room for becomes a smaller one") {
  const test::TemporaryDirectory temporary;
  const auto engine = test::open(temporary.path(), std::size_t{1} << 60);
  INFO(engine.status().ToString());
  REQUIRE(engine.ok());
  CHECK(test::put(**engine, "key", "record").ok());
}

TEST_CASE("a full map refuses writes, and reads, erases and a larger map go on") {
  const test::TemporaryDirectory temporary;
  const std::string record(10'000, 'r');
  const auto key = [](int i) { return "key " + std::to_string(i); };
  int stored = 0;
  {
    const auto engine = test::open(temporary.path(), std::size_t{1} << 20);
    REQUIRE(engine.ok());
    absl::Status status;
    while ((status = test::put(**engine, key(stored), record)).ok()) ++stored;
    CHECK(status.code() == absl::StatusCode::kResourceExhausted);
    CHECK_THAT(test::message(status),
               ContainsSubstring("map_bytes_max") && ContainsSubstring(temporary.path().string()));
    REQUIRE(stored > 10);
    CHECK(test::get(**engine, key(stored)) == "(absent)");
    CHECK(test::get(**engine, key(stored - 1)) == record);
    CHECK(test::scan_all(**engine).ok());

    // A quarter of the map may be in the log, and has no place in the map yet.
    for (int i = 0; i < stored / 2; ++i) CHECK(test::erase(**engine, key(i)).ok());
    CHECK(test::put(**engine, key(0), record).ok());
    CHECK(test::get(**engine, key(0)) == record);
  }
  const auto larger = test::open(temporary.path(), std::size_t{2} << 20);
  REQUIRE(larger.ok());
  CHECK(test::get(**larger, key(stored - 1)) == record);
  for (int i = 0; i < stored; ++i) REQUIRE(test::put(**larger, key(1000 + i), "more").ok());
}

TEST_CASE("a file that is not a database is refused by name and left alone") {
  const test::TemporaryDirectory temporary;
  const fs::path file = temporary.path() / "data.mdb";
  const std::string text =
      GENERATE(std::string("short"), std::string(10'000, 'x'), std::string(8192, '\0'));
  std::ofstream(file, std::ios::binary) << text;
  const absl::Status status = test::open(temporary.path()).status();
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(test::message(status), ContainsSubstring(file.string()));
  std::ifstream read(file, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(read), {}) == text);
}

TEST_CASE("a database that was cut off is refused, not read past its end") {
  const test::TemporaryDirectory temporary;
  {
    const auto engine = test::open(temporary.path());
    REQUIRE(engine.ok());
    for (int i = 0; i < 50; ++i) {
      REQUIRE(test::put(**engine, std::to_string(i), std::string(1000, 'r')).ok());
    }
  }
  fs::resize_file(temporary.path() / "data.mdb", 2 * 4096);
  const absl::Status status = test::open(temporary.path()).status();
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(test::message(status), ContainsSubstring(temporary.path().string()));
}

TEST_CASE("a new file that was not finished when the power went is made anew") {
  const test::TemporaryDirectory temporary;
  const fs::path unfinished = temporary.path() / "data.mdb.new";
  std::ofstream(unfinished) << "the beginning of a header";
  std::ofstream(temporary.path() / "data.mdb").close();
  const auto engine = test::open(temporary.path());
  INFO(engine.status().ToString());
  REQUIRE(engine.ok());
  CHECK(test::put(**engine, "key", "record").ok());
  CHECK_FALSE(fs::exists(unfinished));
}

TEST_CASE("a directory can be opened again after a refusal and after a close") {
  const test::TemporaryDirectory temporary;
  const fs::path file = temporary.path() / "data.mdb";
  std::ofstream(file) << "not a database";
  CHECK_FALSE(test::open(temporary.path()).ok());
  fs::remove(file);
  for (int i = 0; i < 3; ++i) CHECK(test::open(temporary.path()).ok());
}

}  // namespace

#include "storage/write_ahead_log.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

namespace {

namespace fs = std::filesystem;
using dynamo::storage::WriteAheadLog;
using test::ContainsSubstring;

constexpr const char* file_name = "a.log";
constexpr std::size_t bytes_max = 1'000'000;

// A log, and what it replayed.
struct Opened {
  absl::StatusOr<WriteAheadLog> log;
  std::vector<std::string> replayed;
};

Opened open(const test::TemporaryDirectory& directory) {
  std::vector<std::string> replayed;
  const auto replay = [&](std::string_view entry, const char* mapped) {
    CHECK(std::string_view(mapped, entry.size()) == entry);
    replayed.emplace_back(entry.substr(WriteAheadLog::head_bytes));
  };
  auto log = WriteAheadLog::open(directory.path(), file_name, bytes_max, replay);
  return {std::move(log), std::move(replayed)};
}

// What is appended comes back with zeros up to a multiple of eight.
std::string padded(std::string text) {
  text.resize((text.size() + 7) / 8 * 8);
  return text;
}

absl::Status append(WriteAheadLog& log, const std::string& text) {
  std::string entry = std::string(WriteAheadLog::head_bytes, '\0') + text;
  if (absl::Status room = log.reserve(entry.size()); !room.ok()) return room;
  const absl::StatusOr<const char*> mapped = log.append(entry);
  if (mapped.ok()) CHECK(std::string_view(*mapped, entry.size()) == entry);
  return mapped.status();
}

fs::path file_of(const test::TemporaryDirectory& directory) { return directory.path() / file_name; }

std::string contents_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// Another byte in its place.
void damage(const fs::path& file, std::size_t at) {
  std::string contents = contents_of(file);
  contents.at(at) = static_cast<char>(contents[at] ^ 0x40);
  std::ofstream(file, std::ios::binary) << contents;
}

constexpr std::size_t first_entry = 8192;
constexpr std::size_t other_head = 4096;

TEST_CASE("a log has no file before the first entry") {
  const test::TemporaryDirectory temporary;
  const Opened opened = open(temporary);
  REQUIRE(opened.log.ok());
  CHECK(opened.replayed.empty());
  CHECK_FALSE(fs::exists(file_of(temporary)));
}

TEST_CASE("what was appended comes back in order, until it is cleared") {
  const test::TemporaryDirectory temporary;
  std::vector<std::string> expected;
  for (int life = 0; life < 6; ++life) {
    Opened opened = open(temporary);
    REQUIRE(opened.log.ok());
    CHECK(opened.replayed == expected);
    for (int i = 0; i < 20; ++i) {
      // Some larger than what the file grows by.
      const std::size_t bytes = i == 7 ? 100'000 : static_cast<std::size_t>(i * life);
      const std::string text(bytes, static_cast<char>('a' + i));
      REQUIRE(append(*opened.log, text).ok());
      expected.push_back(padded(text));
    }
    if (life % 3 == 1) {
      REQUIRE(opened.log->clear().ok());
      CHECK(opened.log->bytes() == 0);
      expected.clear();
    }
    REQUIRE(append(*opened.log, "the last of a life").ok());
    expected.push_back(padded("the last of a life"));
  }
}

TEST_CASE("an entry that is torn is not there, and the next takes its place") {
  const test::TemporaryDirectory temporary;
  std::size_t before = 0;
  {
    Opened opened = open(temporary);
    REQUIRE(append(*opened.log, "whole").ok());
    before = opened.log->bytes();
    REQUIRE(append(*opened.log, std::string(1000, 't')).ok());
  }
  const std::size_t at = GENERATE(std::size_t{0}, std::size_t{5}, std::size_t{10}, std::size_t{18},
                                  std::size_t{25}, std::size_t{40}, std::size_t{1030});
  damage(file_of(temporary), first_entry + before + at);
  {
    Opened opened = open(temporary);
    REQUIRE(opened.log.ok());
    CHECK(opened.replayed == std::vector<std::string>{padded("whole")});
    REQUIRE(append(*opened.log, "in its place").ok());
  }
  const Opened opened = open(temporary);
  REQUIRE(opened.log.ok());
  CHECK(opened.replayed == std::vector<std::string>{padded("whole"), padded("in its place")});
}

// No entry is written before the one in front of it is on the disk: this cannot be a power cut, and
// what was acknowledged would be missing.
TEST_CASE("an entry that is damaged in front of others is an error that names the place") {
  const test::TemporaryDirectory temporary;
  {
    Opened opened = open(temporary);
    for (int i = 0; i < 3; ++i) REQUIRE(append(*opened.log, std::string(100, 'x')).ok());
  }
  const std::size_t entry = GENERATE(std::size_t{0}, std::size_t{1});
  const std::size_t at = first_entry + entry * (WriteAheadLog::head_bytes + 104);
  damage(file_of(temporary), at + GENERATE(std::size_t{1}, std::size_t{6}, std::size_t{70}));
  const Opened opened = open(temporary);
  CHECK(opened.log.status().code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(test::message(opened.log.status()),
             ContainsSubstring(file_of(temporary).string()) &&
                 ContainsSubstring("at byte " + std::to_string(at)));
}

TEST_CASE("a head that is torn leaves the other in force") {
  const test::TemporaryDirectory temporary;
  {
    Opened opened = open(temporary);
    REQUIRE(append(*opened.log, "first").ok());
    REQUIRE(opened.log->clear().ok());
  }
  SECTION("the new one: nothing was cleared") {
    damage(file_of(temporary), 40);
    CHECK(open(temporary).replayed == std::vector<std::string>{padded("first")});
  }
  SECTION("the old one") {
    damage(file_of(temporary), other_head + 40);
    CHECK(open(temporary).replayed.empty());
  }
  SECTION("both") {
    damage(file_of(temporary), 40);
    damage(file_of(temporary), other_head + 40);
    const Opened opened = open(temporary);
    CHECK(opened.log.status().code() == absl::StatusCode::kDataLoss);
    CHECK_THAT(test::message(opened.log.status()), ContainsSubstring(file_of(temporary).string()));
  }
  SECTION("neither: what follows is of the new epoch") {
    Opened opened = open(temporary);
    REQUIRE(append(*opened.log, "second").ok());
    CHECK(open(temporary).replayed == std::vector<std::string>{padded("second")});
  }
}

}  // namespace

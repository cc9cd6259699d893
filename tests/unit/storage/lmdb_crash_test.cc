#include <array>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/storage/child_process.h"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

// A process that is killed in the middle of a write. (What a power cut does is not to be had here:
// the kernel lives and keeps what was written. LMDB's order of writes is for that.)
namespace {

constexpr std::uint64_t keys = 12;

std::string key_of(std::uint64_t i) { return "key " + std::to_string(i); }

// Of lengths that differ, so that pages split, merge and overflow.
std::string record_of(std::uint64_t batch, std::uint64_t key) {
  return std::to_string(batch) + ":" + std::string((batch * 977 + key * 331) % 9000, 'r');
}

int write_batches(test::NumberPipe& done, const std::filesystem::path& path, std::uint64_t batch) {
  const auto engine = test::open(path);
  if (!engine.ok()) return 1;
  for (;; ++batch) {
    std::vector<std::string> names;
    std::vector<std::string> records;
    for (std::uint64_t i = 0; i < keys; ++i) {
      names.push_back(key_of(i));
      records.push_back(record_of(batch, i));
    }
    std::vector<dynamo::StorageEngine::Write> writes;
    for (std::size_t i = 0; i < keys; ++i) {
      writes.push_back({.key = names[i], .record = records[i]});
    }
    if (!(*engine)->write(writes).ok()) return 2;
    done.send(batch);
  }
}

TEST_CASE("after kill -9 every reported batch is there, and each whole or not at all") {
  const test::TemporaryDirectory temporary;
  const unsigned seed = 20071014;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::uint64_t reported = 0;
  for (int cycle = 0; cycle < 12; ++cycle) {
    INFO("cycle " << cycle);
    test::NumberPipe done;
    test::ChildProcess child([&] {
      done.close_reading();
      return write_batches(done, temporary.path(), reported + 1);
    });
    done.close_writing();
    const auto batches = random() % 25 + 1;
    for (unsigned i = 0; i < batches; ++i) {
      const auto number = done.receive();
      REQUIRE(number == reported + 1);
      reported = *number;
    }
    REQUIRE(child.end_with(SIGKILL) == -SIGKILL);
    while (const auto number = done.receive()) reported = *number;

    const auto engine = test::open(temporary.path());
    INFO(engine.status().ToString());
    REQUIRE(engine.ok());
    const std::uint64_t found = std::stoull(test::get(**engine, key_of(0)));
    // The last one may have been committed and not reported.
    REQUIRE((found == reported || found == reported + 1));
    for (std::uint64_t i = 0; i < keys; ++i) {
      REQUIRE(test::get(**engine, key_of(i)) == record_of(found, i));
    }
    reported = found;
  }
}

}  // namespace

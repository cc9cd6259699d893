// How large the file of a store becomes that is overwritten, flush after flush, through the public
// interface. (Of an engine by itself: unit/storage/lmdb_file_size_test.cc.)

#include <algorithm>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>

#include <dynamo/node.h>

#include "catch.hpp"
#include "disk_faults/surroundings.h"
#include "unit/storage/lmdb_pages.h"
#include "unit/storage/temporary_directory.h"

namespace {

namespace fs = std::filesystem;
using dynamo::Context;
using dynamo::Node;

constexpr std::size_t live_bytes = std::size_t{12} << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int rounds = 2;
#else
constexpr int rounds = 6;
#endif

std::uintmax_t bytes_of_files(const fs::path& directory) {
  std::uintmax_t bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

// One flush that changed most of a small data set needed its room twice over when it was one
// commit, since a commit overwrites no page.
TEST_CASE("the files of a buffered store that is all overwritten in each flush stay within 1.5") {
  const auto size = GENERATE(as<std::size_t>{}, 300, 1000, 4000, 60'000);
  const test::TemporaryDirectory temporary(test::memory_directory());
  const std::size_t count = live_bytes / size;
  std::mt19937_64 random(20071014);
  std::uintmax_t largest = 0;
  for (int round = 0; round < rounds; ++round) {
    auto node = Node::start({.name = "a",
                             .listen = "127.0.0.1:0",
                             .data_dir = temporary.path() / "node",
                             .flush_interval = std::chrono::minutes(1)});
    REQUIRE(node.ok());
    auto store = node->open("s", {.quorum = {.n = 1, .r = 1, .w = 1},
                                  .reconciler = dynamo::last_write_wins(),
                                  .durability = dynamo::Durability::buffered});
    REQUIRE(store.ok());
    for (std::size_t i = 0; i < count; ++i) {
      const std::string object(size * 3 / 4 + random() % (size / 2), 'o');
      REQUIRE(store->put("key " + std::to_string(i), Context(), object).ok());
    }
    node->stop();  // it flushes
    largest = std::max(largest, bytes_of_files(temporary.path() / "node"));
  }
  const std::size_t pages = test::page_bytes(temporary.path() / "node");
  std::ostringstream figures;
  figures << "objects of " << size << " bytes, " << count * size << " in pages of " << pages
          << ", files " << largest << ": "
          << static_cast<double>(largest) / static_cast<double>(pages) << " times the pages, "
          << static_cast<double>(largest) / static_cast<double>(count * size)
          << " times the objects";
  WARN(figures.str());
  CHECK(static_cast<double>(largest) <= 1.5 * static_cast<double>(pages));
}

#include <lmdb.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "disk_faults/surroundings.h"
#include "unit/storage/child_process.h"
#include "unit/storage/engine_access.h"
#include "unit/storage/lmdb_pages.h"
#include "unit/storage/temporary_directory.h"

// How large the file is that a data set lives in. LMDB never overwrites a page: it takes a free one
// and frees the old one two commits later. What is overwritten again and again must find the free
// pages, and nobody may keep them: not a paused scan, not a process that died while it read.
namespace {

namespace fs = std::filesystem;

std::size_t file_bytes(const test::TemporaryDirectory& directory) {
  return fs::file_size(directory.path() / "data.mdb");
}

// Keys like the node's, hashes; records of sizes about `size`, or from 50 bytes to 50 KB if it is
// 0.
class DataSet {
 public:
  DataSet(dynamo::StorageEngine& engine, std::size_t size, std::size_t bytes)
      : engine_(engine), size_(size) {
    const std::size_t count = bytes / (size == 0 ? 7200 : size);
    for (std::size_t i = 0; i < count; ++i) {
      std::string& key = keys_.emplace_back(25, '\0');
      for (char& c : key) c = static_cast<char>(random_());
    }
    sizes_.resize(count);
    for (std::size_t i = 0; i < count; i += 64) {
      std::vector<std::size_t> indices;
      for (std::size_t k = i; k < std::min(count, i + 64); ++k) indices.push_back(k);
      write(indices);
    }
  }

  // As many records as there are, at random, in batches of all sizes up to 64 records or half a
  // megabyte. A batch needs its room twice over, whatever it overwrites.
  void overwrite() {
    for (std::size_t done = 0; done < keys_.size();) {
      std::vector<std::size_t> indices;
      const std::size_t most = size_ == 0 ? 64 : std::clamp<std::size_t>(500'000 / size_, 1, 64);
      const std::size_t batch = random_() % most + 1;
      for (std::size_t i = 0; i < batch; ++i) indices.push_back(random_() % keys_.size());
      write(indices);
      done += batch;
    }
  }

  std::size_t bytes() const {
    std::size_t all = 25 * keys_.size();
    for (const std::size_t size : sizes_) all += size;
    return all;
  }

 private:
  std::size_t draw_size() {
    if (size_ > 0) return size_ * 3 / 4 + random_() % (size_ / 2);
    return static_cast<std::size_t>(50 *
                                    std::pow(1000, static_cast<double>(random_() % 1000) / 999));
  }

  void write(const std::vector<std::size_t>& indices) {
    std::vector<std::string> records;
    for (const std::size_t index : indices) {
      sizes_[index] = draw_size();
      records.emplace_back(sizes_[index], static_cast<char>(random_()));
    }
    std::vector<dynamo::StorageEngine::Write> batch;
    for (std::size_t i = 0; i < indices.size(); ++i) {
      batch.push_back({.key = keys_[indices[i]], .record = records[i]});
    }
    REQUIRE(engine_.write(batch).ok());
  }

  dynamo::StorageEngine& engine_;
  const std::size_t size_;
  std::mt19937_64 random_{20071014};
  std::vector<std::string> keys_;
  std::vector<std::size_t> sizes_;
};

TEST_CASE("the file of an overwritten data set stays within 1.5 times the live data") {
  const auto [size, logged] = GENERATE(table<std::size_t, bool>({{0, true},
                                                                 {300, true},
                                                                 {1000, true},
                                                                 {3000, true},
                                                                 {10'000, true},
                                                                 {100'000, true},
                                                                 {300, false}}));
  const test::TemporaryDirectory temporary(test::memory_directory());
  std::size_t live = 0;
  std::size_t largest = 0;
  {
    const auto engine =
        logged ? test::open(temporary.path()) : test::open_without_log(temporary.path());
    REQUIRE(engine.ok());
    DataSet data(**engine, size, std::size_t{12} << 20);
    for (int round = 0; round < 5; ++round) {
      data.overwrite();
      largest = std::max(largest, file_bytes(temporary));
    }
    live = data.bytes();
  }
  const std::size_t pages = test::page_bytes(temporary.path());
  std::ostringstream figures;
  figures << (logged ? "with a log" : "without a log") << ", records of " << size << " bytes, live "
          << live << " in pages of " << pages << ", file " << largest << ": "
          << static_cast<double>(largest) / static_cast<double>(pages) << " times the pages, "
          << static_cast<double>(largest) / static_cast<double>(live) << " times the bytes";
  WARN(figures.str());
  CHECK(static_cast<double>(largest) <= 1.5 * static_cast<double>(pages));
  // Of smaller records fewer fit into a page of 4 KiB, whoever overwrites them.
  if (size >= 10'000 || size == 0) {
    CHECK(static_cast<double>(largest) <= 1.5 * static_cast<double>(live));
  }
}

// What a tool does that looks at a live database, mdb_stat say.
int hold_a_read(test::NumberPipe& reading, const fs::path& path) {
  MDB_env* environment = nullptr;
  MDB_txn* transaction = nullptr;
  if (mdb_env_create(&environment) != 0) return 1;
  if (mdb_env_open(environment, path.c_str(), MDB_RDONLY, 0600) != 0) return 2;
  if (mdb_txn_begin(environment, nullptr, MDB_RDONLY, &transaction) != 0) return 3;
  reading.send(1);
  for (;;) pause();
}

TEST_CASE("a process that was killed while it read does not keep free pages") {
  const test::TemporaryDirectory temporary(test::memory_directory());
  const auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  DataSet data(**engine, 3000, std::size_t{1} << 20);
  {
    test::NumberPipe reading;
    test::ChildProcess child([&] {
      reading.close_reading();
      return hold_a_read(reading, temporary.path());
    });
    reading.close_writing();
    REQUIRE(reading.receive() == 1);
    REQUIRE(child.end_with(SIGKILL) == -SIGKILL);
  }
  // Some rounds to notice it. One that is not noticed costs as much as is written: 1 MiB a round.
  for (int round = 0; round < 120; ++round) data.overwrite();
  const std::size_t noticed = file_bytes(temporary);
  for (int round = 0; round < 120; ++round) data.overwrite();
  CHECK(file_bytes(temporary) <= noticed + noticed / 10);
}

TEST_CASE("a reader that a killed process left is gone when the directory is opened anew") {
  const test::TemporaryDirectory temporary;
  REQUIRE(test::open(temporary.path()).ok());
  {
    test::NumberPipe reading;
    test::ChildProcess child([&] {
      reading.close_reading();
      return hold_a_read(reading, temporary.path());
    });
    reading.close_writing();
    REQUIRE(reading.receive() == 1);
    REQUIRE(child.end_with(SIGKILL) == -SIGKILL);
  }
  const auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  DataSet data(**engine, 3000, std::size_t{1} << 20);
  for (int round = 0; round < 20; ++round) data.overwrite();
  CHECK(file_bytes(temporary) < std::size_t{4} << 20);
}

}  // namespace

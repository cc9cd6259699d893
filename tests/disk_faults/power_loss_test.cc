// A power cut under the real LMDB, and under the log in front of it. What the engine asks of its
// files is recorded while it works; then the cut is made at any point of the record, as often as
// one likes: what the disk may hold there (crash_image.h) is written to a directory, and the real
// engine is opened on it, in a child because a broken file may kill who reads it. It must hold
// exactly what was acknowledged before the cut, or that and the one batch that was in flight.
//
// The work goes on in lives: each begins with what one of the cuts of the life before has left, so
// that what a cut breaks and only later writes show is found too.
//
// DYNAMO_POWER_LOSS_IMAGES: how many cuts.

#include <lmdb.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "batches.h"
#include "catch.hpp"
#include "crash_image.h"
#include "recorder.h"
#include "surroundings.h"
#include "unit/storage/child_process.h"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

namespace {

namespace fs = std::filesystem;
using test::Contents;
using test::FileEvent;
using test::FileImage;

constexpr std::size_t map_bytes = std::size_t{64} << 20;
constexpr std::size_t images_of_a_life = 100;
constexpr int batches_of_a_life = 60;
// With a sanitizer, fork has much more to copy.
#if defined(__SANITIZE_THREAD__)
constexpr std::size_t images_by_default = 200;
#elif defined(__SANITIZE_ADDRESS__)
constexpr std::size_t images_by_default = 500;
#else
constexpr std::size_t images_by_default = 2000;
#endif

const std::vector<std::string> file_names = {"data.mdb", "write_ahead.log", "write_ahead_2.log"};

// A stretch of work, as its disk saw it.
struct Life {
  std::vector<FileImage> base{};  // as file_names
  std::vector<FileEvent> events{};
  // States in order, the first is the one it began with; how many events had returned when each was
  // begun and when it was acknowledged.
  std::vector<Contents> states{};
  std::vector<std::size_t> begun{};
  std::vector<std::size_t> acknowledged{};
};

void write_file(const fs::path& path, const FileImage& image) {
  std::error_code ignored;
  fs::remove(path, ignored);
  if (!image) return;
  std::ofstream(path, std::ios::binary)
      .write(image->data(), static_cast<std::streamsize>(image->size()));
}

void write_files(const fs::path& directory, const std::vector<FileImage>& images) {
  for (std::size_t i = 0; i < images.size(); ++i) write_file(directory / file_names[i], images[i]);
}

template <class Write>
void work(const test::Recorder& recorder, Write write, std::mt19937_64& random, Life& life) {
  for (int i = 0; i < batches_of_a_life; ++i) {
    const test::ChangeBatch batch = test::random_batch(random);
    life.begun.push_back(recorder.events().size());
    write(batch);
    Contents next = life.states.back();
    test::apply(batch, next);
    life.states.push_back(std::move(next));
    life.acknowledged.push_back(recorder.events().size());
  }
}

void begin(Life& life, std::size_t events) {
  life.begun.push_back(0);
  life.acknowledged.push_back(events);
}

Life live(const fs::path& directory, const std::vector<FileImage>& base, std::mt19937_64& random) {
  Life life{.base = base};
  write_files(directory, base);
  const test::Recorder recorder(directory, file_names);
  const auto engine = test::open(directory, map_bytes);
  INFO(engine.status().ToString());
  REQUIRE(engine.ok());
  const auto found = test::read_all(**engine);
  REQUIRE(found.ok());
  life.states.push_back(*found);
  begin(life, recorder.events().size());
  work(
      recorder,
      [&engine](const test::ChangeBatch& batch) {
        const absl::Status status = test::write_all(**engine, batch);
        INFO(status.ToString());
        REQUIRE(status.ok());
      },
      random, life);
  CHECK(recorder.not_understood().empty());
  life.events = recorder.events();
  return life;
}

// The same work on LMDB in the mode that does not sync.
Life live_without_syncs(const fs::path& directory, std::mt19937_64& random) {
  Life life;
  test::open(directory, map_bytes)->reset();
  const test::Recorder recorder(directory, file_names);
  life.base = {std::string(std::istreambuf_iterator<char>(
                               std::ifstream(directory / "data.mdb", std::ios::binary).rdbuf()),
                           {}),
               std::nullopt};
  MDB_env* environment = nullptr;
  MDB_dbi database = 0;
  REQUIRE(mdb_env_create(&environment) == 0);
  REQUIRE(mdb_env_set_mapsize(environment, map_bytes) == 0);
  REQUIRE(mdb_env_open(environment, directory.c_str(), MDB_NOTLS | MDB_NOSYNC, 0600) == 0);
  life.states.emplace_back();
  begin(life, recorder.events().size());
  const auto write = [&](const test::ChangeBatch& batch) {
    MDB_txn* transaction = nullptr;
    REQUIRE(mdb_txn_begin(environment, nullptr, 0, &transaction) == 0);
    REQUIRE(mdb_dbi_open(transaction, nullptr, 0, &database) == 0);
    for (const test::Change& change : batch) {
      MDB_val key{change.key.size(), const_cast<char*>(change.key.data())};
      if (change.record) {
        MDB_val record{change.record->size(), const_cast<char*>(change.record->data())};
        REQUIRE(mdb_put(transaction, database, &key, &record, 0) == 0);
      } else {
        mdb_del(transaction, database, &key, nullptr);
      }
    }
    REQUIRE(mdb_txn_commit(transaction) == 0);
  };
  work(recorder, write, random, life);
  life.events = recorder.events();
  mdb_env_close(environment);
  return life;
}

// What a child says of an image.
enum Verdict { acknowledged, in_flight, not_opened, not_read, wrong };
constexpr std::array<const char*, 5> verdict_names = {"what was acknowledged",
                                                      "that and the batch in flight", "not opened",
                                                      "not read", "something else"};

constexpr int first_verdict = 40;  // as an exit code: sanitizers end with small ones

int judge(const fs::path& directory, const Contents& last, const Contents* next) {
  const auto engine = test::open(directory, map_bytes);
  if (!engine.ok()) return not_opened;
  const auto found = test::read_all(**engine);
  if (!found.ok()) return not_read;
  if (test::equal(*found, last)) return acknowledged;
  return next != nullptr && test::equal(*found, *next) ? in_flight : wrong;
}

struct Counts {
  std::array<std::size_t, verdict_names.size()> verdicts{};
  std::size_t killed = 0;
  std::size_t images = 0;
  std::size_t events = 0;
  std::size_t lives = 0;

  std::size_t violations() const { return images - verdicts[acknowledged] - verdicts[in_flight]; }
};

std::ostream& operator<<(std::ostream& out, const Counts& counts) {
  out << counts.images << " images of " << counts.lives << " lives with " << counts.events
      << " writes and syncs:";
  for (std::size_t i = 0; i < verdict_names.size(); ++i) {
    out << " " << verdict_names[i] << " " << counts.verdicts[i] << ",";
  }
  return out << " killed the reader " << counts.killed;
}

// Cuts the power once and counts what is found. Returns what the disk held.
std::vector<FileImage> cut(const Life& life, const fs::path& directory, std::mt19937_64& random,
                           Counts& counts) {
  // One in eight among the first steps: the making of a new file, or what opening does to an old
  // one.
  const std::size_t steps = random() % 8 == 0 ? 12 : life.events.size();
  const std::size_t at = random() % (steps + 1);
  const std::vector<FileImage> images = test::crash_images(life.base, life.events, at, random);
  write_files(directory, images);
  std::size_t last = 0;
  while (last + 1 < life.states.size() && life.acknowledged[last + 1] <= at) ++last;
  const std::size_t next = last + 1;
  const bool begun = next < life.states.size() && life.begun[next] <= at;
  test::ChildProcess child([&] {
    test::end_quietly_when_killed();
    return first_verdict +
           judge(directory, life.states[last], begun ? &life.states[next] : nullptr);
  });
  const int result = child.wait() - first_verdict;
  ++counts.images;
  if (result < 0 || result >= static_cast<int>(verdict_names.size())) {
    ++counts.killed;
  } else {
    ++counts.verdicts[static_cast<std::size_t>(result)];
  }
  return images;
}

}  // namespace

TEST_CASE("after a power cut there is what was acknowledged, or that and the batch in flight") {
  const std::uint64_t seed = test::number_from_environment("DYNAMO_SEED", 20071014);
  const std::size_t images =
      test::number_from_environment("DYNAMO_POWER_LOSS_IMAGES", images_by_default);
  std::mt19937_64 random(seed);
  Counts counts;
  std::vector<FileImage> base;
  while (counts.images < images) {
    const test::TemporaryDirectory worked(test::memory_directory());
    const test::TemporaryDirectory crashed(test::memory_directory());
    // A new store from time to time, for its first steps are special.
    if (counts.lives % 8 == 0) base.assign(file_names.size(), std::nullopt);
    const Life life = live(worked.path(), base, random);
    ++counts.lives;
    counts.events += life.events.size();
    for (std::size_t i = 0; i < images_of_a_life && counts.images < images; ++i) {
      base = cut(life, crashed.path(), random, counts);
      INFO("seed " << seed << ", image " << counts.images << ": " << counts);
      REQUIRE(counts.violations() == 0);
    }
  }
  std::cout << "power loss: " << counts << std::endl;
  // That cuts before, in and after commits were seen.
  CHECK(counts.verdicts[in_flight] > images / 100);
  CHECK(counts.verdicts[acknowledged] > images / 4);
  CHECK(counts.events > 100 * counts.lives);
}

TEST_CASE("the check of power cuts finds what a store without syncs loses") {
  const std::uint64_t seed = test::number_from_environment("DYNAMO_SEED", 20071014);
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Counts counts{.lives = 1};
  const test::TemporaryDirectory worked(test::memory_directory());
  const test::TemporaryDirectory crashed(test::memory_directory());
  const Life life = live_without_syncs(worked.path(), random);
  counts.events = life.events.size();
  for (int i = 0; i < 200; ++i) cut(life, crashed.path(), random, counts);
  std::cout << "power loss without syncs: " << counts << std::endl;
  CHECK(counts.violations() > 100);
  CHECK(counts.verdicts[wrong] > 0);
  CHECK(counts.verdicts[not_opened] + counts.verdicts[not_read] + counts.killed > 0);
}

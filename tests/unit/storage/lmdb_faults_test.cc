#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "failing_disk.h"
#include "unit/storage/child_process.h"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

namespace {

using test::ContainsSubstring;
using test::DiskFailure;
using test::FailingDisk;

// A put whose sync fails says so and names `where`; all that follow are refused, large ones too,
// and reads go on. REQUIRES: "key" is "before".
void check_failed_sync(dynamo::StorageEngine& engine, const std::filesystem::path& directory,
                       const std::filesystem::path& where) {
  {
    const FailingDisk disk(DiskFailure::sync);
    const absl::Status status = test::put(engine, "key", "failed");
    CHECK(test::disk_failures() == 1);
    CHECK(status.code() == absl::StatusCode::kDataLoss);
    CHECK_THAT(test::message(status),
               ContainsSubstring(where.string()) && ContainsSubstring("sync"));
  }
  for (const std::string& record : {std::string("later"), std::string(300'000, 'L')}) {
    const absl::Status later = test::put(engine, "key", record);
    CHECK(later.code() == absl::StatusCode::kDataLoss);
    CHECK_THAT(test::message(later),
               ContainsSubstring(directory.string()) && ContainsSubstring("before"));
  }
  CHECK(test::get(engine, "key") == "before");
  CHECK(test::scan_all(engine).ok());
}

TEST_CASE("after a failed sync the engine takes no more writes, and reads go on") {
  INFO(mdb_version(nullptr, nullptr, nullptr));
  const test::TemporaryDirectory temporary;
  auto engine = test::open_without_log(temporary.path());
  REQUIRE(engine.ok());
  REQUIRE(test::put(**engine, "key", "before").ok());
  check_failed_sync(**engine, temporary.path(), temporary.path());

  engine->reset();
  engine = test::open_without_log(temporary.path());
  REQUIRE(engine.ok());
  CHECK(test::get(**engine, "key") == "before");
  CHECK(test::put(**engine, "key", "anew").ok());
}

TEST_CASE("after a failed sync of the log the engine takes no more writes, and reads go on") {
  const test::TemporaryDirectory temporary;
  auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  REQUIRE(test::put(**engine, "key", "before").ok());
  check_failed_sync(**engine, temporary.path(), temporary.path() / "write_ahead.log");

  // Whether that write is there nobody could say.
  engine->reset();
  engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  const std::string found = test::get(**engine, "key");
  CHECK((found == "before" || found == "failed"));
  CHECK(test::put(**engine, "key", "anew").ok());
  CHECK(test::get(**engine, "key") == "anew");
}

// LMDB itself refuses all transactions from then on, so that the engine could not be read either.
TEST_CASE("after a meta page that could not be written reads go on, and writes do not") {
  const test::TemporaryDirectory temporary;
  auto engine = test::open_without_log(temporary.path());
  REQUIRE(engine.ok());
  const std::string large(300'000, 'L');
  REQUIRE(test::put(**engine, "key", "before").ok());
  REQUIRE(test::put(**engine, "large", large).ok());
  // One that began before the failure, and sees its state to the end.
  std::vector<std::string> seen;
  const absl::Status scanned = (*engine)->scan({}, [&](std::string_view key, std::string_view) {
    seen.emplace_back(key);
    if (seen.size() > 1) return true;
    const FailingDisk disk(DiskFailure::meta_page);
    CHECK(test::put(**engine, "key", "failed").code() == absl::StatusCode::kDataLoss);
    CHECK(test::disk_failures() == 1);
    return true;
  });
  CHECK(scanned.ok());
  CHECK(seen == std::vector<std::string>{"key", "large"});
  for (int i = 0; i < 3; ++i) {
    CHECK(test::put(**engine, "key", "later").code() == absl::StatusCode::kDataLoss);
    CHECK(test::get(**engine, "key") == "before");
    CHECK(test::get(**engine, "large") == large);
    CHECK(test::get(**engine, "never written") == "(absent)");
    CHECK(test::scan_all(**engine).ok());
  }

  engine->reset();
  engine = test::open_without_log(temporary.path());
  REQUIRE(engine.ok());
  CHECK(test::get(**engine, "key") == "before");
  CHECK(test::put(**engine, "key", "anew").ok());
}

// A file that may not grow fails as a full disk does: with a part of a write.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, signal_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t signal_;
};

TEST_CASE("without room on the disk a batch changes nothing and can be tried again") {
  const test::TemporaryDirectory temporary;
  const auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  REQUIRE(test::put(**engine, "key", "before").ok());
  // The second size is no multiple of a page or a block: a write stops in the midst of one.
  const rlim_t bytes = GENERATE(rlim_t{128} << 10, (rlim_t{128} << 10) + 1000);
  const std::string large(300'000, 'L');
  {
    const FileSizeLimit limit(bytes);
    for (int i = 0; i < 3; ++i) {
      const absl::Status status = test::put(**engine, "key", large);
      CHECK(status.code() == absl::StatusCode::kResourceExhausted);
      CHECK_THAT(test::message(status),
                 ContainsSubstring(temporary.path().string()) && ContainsSubstring("too large"));
      CHECK(test::get(**engine, "key") == "before");
    }
  }
  CHECK(test::put(**engine, "key", large).ok());
  CHECK(test::get(**engine, "key") == large);
}

// A disk of 4 MiB of its own, in a mount namespace of the child.
bool mount_small_disk(const std::filesystem::path& at) {
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("small", at.c_str(), "tmpfs", 0, "size=4m") == 0;
}

constexpr int not_permitted = 77;

// The number of the first step that goes wrong, or 0. Catch2 belongs to the parent.
int fill_a_small_disk(const std::filesystem::path& path) {
  if (!mount_small_disk(path)) return not_permitted;
  std::ofstream(path / "ballast") << std::string(1 << 20, 'b');
  const std::string record(50'000, 'r');
  int stored = 0;
  {
    const auto engine = test::open(path / "data");
    if (!engine.ok()) return 1;
    absl::Status status;
    while ((status = test::put(**engine, std::to_string(stored), record)).ok()) ++stored;
    if (status.code() != absl::StatusCode::kResourceExhausted) return 2;
    if (test::message(status).find("No space left on device") == std::string::npos) return 3;
    if (test::message(status).find(path.string()) == std::string::npos) return 4;
    if (stored < 40) return 5;
    if (test::put(**engine, "more", record).ok()) return 6;
    if (test::get(**engine, "0") != record || !test::scan_all(**engine).ok()) return 7;
  }
  // It opens, and reads, without room; a lock file is there already.
  const auto engine = test::open(path / "data");
  if (!engine.ok()) return 8;
  for (int i = 0; i < stored; ++i) {
    if (test::get(**engine, std::to_string(i)) != record) return 9;
  }
  if (test::put(**engine, "more", record).ok()) return 10;
  std::filesystem::remove(path / "ballast");
  if (!test::put(**engine, "more", record).ok()) return 11;
  return test::get(**engine, "more") == record ? 0 : 12;
}

TEST_CASE("a file system that is full is said by name, and is left as soon as there is room") {
  const test::TemporaryDirectory temporary;
  test::ChildProcess child([&] { return fill_a_small_disk(temporary.path()); });
  const int step = child.wait();
  if (step == not_permitted) {
    WARN("skipped: this user may not mount a file system");
    return;
  }
  CHECK(step == 0);
}

}  // namespace

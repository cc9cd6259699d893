#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

// A disk that fails under the real LMDB: this program's fdatasync and pwrite come before those of
// the C library, for LMDB too, and fail when told.
namespace {

enum class Failure { none, sync, meta_page };

std::atomic<Failure> failure{Failure::none};
std::atomic<int> failures{0};

struct FailingDisk {
  explicit FailingDisk(Failure which) {
    failures = 0;
    failure = which;
  }
  ~FailingDisk() { failure = Failure::none; }
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;
};

int fail_with_eio() {
  ++failures;
  errno = EIO;
  return -1;
}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) int fdatasync(int fd) {
  if (failure == Failure::sync) return fail_with_eio();
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

// LMDB writes its meta pages, and nothing else, through a descriptor that is O_DSYNC.
__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void* bytes, size_t size,
                                                      off_t offset) {
  if (failure == Failure::meta_page && (fcntl(fd, F_GETFL) & O_DSYNC) != 0) return fail_with_eio();
  return syscall(SYS_pwrite64, fd, bytes, size, offset);
}
}

namespace {

using test::ContainsSubstring;

TEST_CASE("after a failed sync the engine takes no more writes, and reads go on") {
  INFO(mdb_version(nullptr, nullptr, nullptr));
  const test::TemporaryDirectory temporary;
  auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  REQUIRE(test::put(**engine, "key", "before").ok());
  {
    const FailingDisk disk(Failure::sync);
    const absl::Status status = test::put(**engine, "key", "failed");
    CHECK(failures == 1);
    CHECK(status.code() == absl::StatusCode::kDataLoss);
    CHECK_THAT(test::message(status),
               ContainsSubstring(temporary.path().string()) && ContainsSubstring("sync"));
  }
  const absl::Status later = test::put(**engine, "key", "later");
  CHECK(later.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(test::message(later),
             ContainsSubstring(temporary.path().string()) && ContainsSubstring("before"));
  CHECK(test::get(**engine, "key") == "before");
  CHECK(test::scan_all(**engine).ok());

  engine->reset();
  engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  CHECK(test::get(**engine, "key") == "before");
  CHECK(test::put(**engine, "key", "anew").ok());
}

// LMDB itself refuses all transactions from then on, so that the engine could not be read either.
TEST_CASE("after a meta page that could not be written reads go on, and writes do not") {
  const test::TemporaryDirectory temporary;
  auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  const std::string large(300'000, 'L');
  REQUIRE(test::put(**engine, "key", "before").ok());
  REQUIRE(test::put(**engine, "large", large).ok());
  // One that began before the failure, and sees its state to the end.
  std::vector<std::string> seen;
  const absl::Status scanned = (*engine)->scan({}, [&](std::string_view key, std::string_view) {
    seen.emplace_back(key);
    if (seen.size() > 1) return true;
    const FailingDisk disk(Failure::meta_page);
    CHECK(test::put(**engine, "key", "failed").code() == absl::StatusCode::kDataLoss);
    CHECK(failures == 1);
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
  engine = test::open(temporary.path());
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

}  // namespace

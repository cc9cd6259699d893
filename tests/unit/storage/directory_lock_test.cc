#include "storage/directory_lock.h"

#include <fcntl.h>

#include <filesystem>
#include <set>
#include <string>

#include "catch.hpp"
#include "unit/storage/child_process.h"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

namespace {

using test::ContainsSubstring;
namespace fs = std::filesystem;

// How a child says what it saw.
enum Answer : int { refused_by_name = 10, refused_otherwise, opened };

int try_to_open(const fs::path& path, pid_t owner) {
  const auto engine = test::open(path);
  if (engine.ok()) return opened;
  const std::string text = test::message(engine.status());
  const bool named = engine.status().code() == absl::StatusCode::kFailedPrecondition &&
                     text.find(path.string()) != text.npos &&
                     text.find(std::to_string(owner)) != text.npos;
  return named ? refused_by_name : refused_otherwise;
}

TEST_CASE("a second open in this process is refused by name, under any path") {
  const test::TemporaryDirectory temporary;
  fs::create_directory(temporary.path() / "data");
  fs::create_directory_symlink(temporary.path() / "data", temporary.path() / "link");
  auto first = test::open(temporary.path() / "data");
  REQUIRE(first.ok());
  for (const char* name : {"data", "link", "data/../data"}) {
    const fs::path path = temporary.path() / name;
    const absl::Status status = test::open(path).status();
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK_THAT(test::message(status),
               ContainsSubstring(path.string()) && ContainsSubstring("this process"));
  }
  CHECK(test::put(**first, "key", "record").ok());

  // The table holds also when the file does not.
  fs::remove(temporary.path() / "data" / "owner");
  CHECK(test::open(temporary.path() / "data").status().code() ==
        absl::StatusCode::kFailedPrecondition);
  first->reset();
  CHECK(test::open(temporary.path() / "data").ok());
}

TEST_CASE("another process is refused while this one owns the directory") {
  const test::TemporaryDirectory temporary;
  auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  const pid_t owner = getpid();
  CHECK(test::ChildProcess([&] { return try_to_open(temporary.path(), owner); }).wait() ==
        refused_by_name);
  CHECK(test::put(**engine, "key", "record").ok());
  engine->reset();
  CHECK(test::ChildProcess([&] { return try_to_open(temporary.path(), owner); }).wait() == opened);
}

TEST_CASE("this process is refused while another one owns the directory, and not after its death") {
  const test::TemporaryDirectory temporary;
  test::NumberPipe ready;
  test::NumberPipe never;
  test::ChildProcess child([&] {
    const auto engine = test::open(temporary.path());
    if (!engine.ok() || !test::put(**engine, "key", "record").ok()) return 1;
    ready.send(1);
    never.receive();
    return 0;
  });
  REQUIRE(ready.receive().has_value());
  CHECK(try_to_open(temporary.path(), child.pid()) == refused_by_name);
  CHECK(child.end_with(SIGKILL) == -SIGKILL);
  const auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  CHECK(test::get(**engine, "key") == "record");
}

TEST_CASE("a child that lives on does not keep the directory of its dead parent") {
  const test::TemporaryDirectory temporary;
  test::NumberPipe ready;
  test::NumberPipe never;
  test::ChildProcess parent([&] {
    const auto engine = test::open(temporary.path());
    const test::ChildProcess child([&] {
      never.close_writing();
      ready.send(1);
      never.receive();  // until the test is over
      return 0;
    });
    never.receive();
    return 0;
  });
  REQUIRE(ready.receive().has_value());
  parent.end_with(SIGKILL);
  CHECK(test::open(temporary.path()).ok());
}

TEST_CASE("in a child of fork the engine is dead and says so, and the parent's goes on") {
  const test::TemporaryDirectory temporary;
  auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  REQUIRE(test::put(**engine, "key", "record").ok());
  REQUIRE(test::get(**engine, "key") == "record");  // there is an idle reader
  const int answer = test::ChildProcess([&] {
                       const auto dead = [](const absl::Status& status) {
                         return status.code() == absl::StatusCode::kFailedPrecondition;
                       };
                       if (!dead((*engine)->read("key", [](std::string_view) {}).status()))
                         return 1;
                       if (!dead(test::put(**engine, "key", "child"))) return 2;
                       if (!dead(test::scan_all(**engine))) return 3;
                       engine->reset();
                       return 0;
                     }).wait();
  CHECK(answer == 0);
  CHECK(test::get(**engine, "key") == "record");
  CHECK(test::put(**engine, "key", "later").ok());
  CHECK(test::open(temporary.path()).status().code() == absl::StatusCode::kFailedPrecondition);
}

std::set<int> open_descriptors() {
  std::set<int> found;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    found.insert(std::stoi(entry.path().filename().string()));
  }
  std::set<int> open;  // without the one that read the directory
  for (const int fd : found) {
    if (fcntl(fd, F_GETFD) >= 0) open.insert(fd);
  }
  return open;
}

TEST_CASE("all descriptors are close-on-exec, and closed with the engine") {
  const test::TemporaryDirectory temporary;
  const std::set<int> before = open_descriptors();
  auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  REQUIRE(test::put(**engine, "key", "record").ok());
  REQUIRE(test::get(**engine, "key") == "record");
  int ours = 0;
  for (const int fd : open_descriptors()) {
    if (before.contains(fd)) continue;
    ++ours;
    INFO(fs::read_symlink("/proc/self/fd/" + std::to_string(fd)));
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(ours == 5);  // data.mdb twice, lock.mdb, owner, write_ahead.log
  engine->reset();
  CHECK(open_descriptors() == before);
}

}  // namespace

#include "storage/data_directory.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>

#include "catch.hpp"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

namespace {

using test::ContainsSubstring;
namespace fs = std::filesystem;

unsigned mode_of(const fs::path& path) {
  struct stat facts {};
  return stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777U : 0;
}

TEST_CASE("directories are made with mode 0700 and files with 0600, whatever the umask") {
  const test::TemporaryDirectory temporary;
  const fs::path path = temporary.path() / "a" / "b";
  const mode_t before = umask(0);
  const auto engine = test::open(path);
  umask(before);
  INFO(engine.status().ToString());
  REQUIRE(engine.ok());
  CHECK(mode_of(path) == 0700);
  CHECK(mode_of(path.parent_path()) == 0700);
  for (const char* file : {"data.mdb", "lock.mdb", "owner"}) {
    INFO(file);
    CHECK(mode_of(path / file) == 0600);
  }
}

TEST_CASE("an error of the operating system is one of room, of the disk, or of the path") {
  const auto code = [](int error) {
    return dynamo::storage::directory_error("cannot open", "somewhere", error).code();
  };
  for (const int error : {ENOSPC, EDQUOT, EFBIG, ENOMEM, EMFILE, ENFILE}) {
    CHECK(code(error) == absl::StatusCode::kResourceExhausted);
  }
  CHECK(code(EIO) == absl::StatusCode::kDataLoss);
  for (const int error : {EACCES, ENOTDIR, EROFS, ELOOP}) {
    CHECK(code(error) == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a path may end in a slash") {
  const test::TemporaryDirectory temporary;
  CHECK(test::open(temporary.path() / "new" / "").ok());
  CHECK(fs::exists(temporary.path() / "new" / "data.mdb"));
}

TEST_CASE("a path that is no directory is refused by name") {
  const test::TemporaryDirectory temporary;
  const fs::path file = temporary.path() / "file";
  std::ofstream(file) << "text";
  for (const fs::path& path : {file, file / "below"}) {
    const absl::Status status = test::open(path).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(test::message(status),
               ContainsSubstring(file.string()) && ContainsSubstring("Not a directory"));
  }
}

TEST_CASE("network file systems are known by their numbers") {
  CHECK(dynamo::storage::network_file_system(0x6969) == "NFS");
  CHECK(dynamo::storage::network_file_system(static_cast<int>(0xFF534D42)) == "CIFS");
  CHECK(dynamo::storage::network_file_system(0x65735546) == "FUSE");
  CHECK(dynamo::storage::network_file_system(0xEF53).empty());      // ext4
  CHECK(dynamo::storage::network_file_system(0x01021994).empty());  // tmpfs
}

}  // namespace

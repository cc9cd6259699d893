#include <string>

#include <dynamo/storage/memory.h>

#include "catch.hpp"
#include "storage/limits.h"
#include "unit/storage/engine_access.h"
#include "unit/storage/temporary_directory.h"

namespace {

using test::ContainsSubstring;

TEST_CASE("a refusal names the size and the limit") {
  CHECK_THAT(test::message(dynamo::storage::check_key("")), ContainsSubstring("empty"));
  const absl::Status key = dynamo::storage::check_key(std::string(129, 'k'));
  CHECK(key.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(test::message(key),
             ContainsSubstring("129 bytes") && ContainsSubstring("limit of 128"));
  CHECK(dynamo::storage::check_key(std::string(128, 'k')).ok());

  const std::string record((std::size_t{80} << 20) + 1, 'r');
  const auto engine = dynamo::memory_storage();
  const absl::Status refused = test::put(*engine, "key", record);
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(test::message(refused),
             ContainsSubstring("83886081 bytes") && ContainsSubstring("limit of 83886080"));
}

TEST_CASE("the largest record is kept") {
  const std::string record(dynamo::StorageEngine::record_bytes_max, 'r');
  const test::TemporaryDirectory temporary;
  const auto engine = test::open(temporary.path());
  REQUIRE(engine.ok());
  REQUIRE(test::put(**engine, "key", record).ok());
  CHECK(test::get(**engine, "key") == record);
}

TEST_CASE("a long bound of a scan is cut to what sorts alike") {
  const std::string longest(dynamo::StorageEngine::key_bytes_max, 'k');
  CHECK(dynamo::storage::scan_bound("short") == "short");
  CHECK(dynamo::storage::scan_bound(longest) == longest);
  CHECK(dynamo::storage::scan_bound(longest + "abc") == longest + "a");
}

}  // namespace

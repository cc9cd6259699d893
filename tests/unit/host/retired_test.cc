#include "host/retired.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "catch.hpp"

using dynamo::host::Content;
using dynamo::host::ReadSections;
using dynamo::host::Retired;
using std::string_view_literals::operator""sv;

namespace {

constexpr std::size_t many = 1000;

void retire_many(Retired& retired) {
  for (std::size_t i = 0; i < many; ++i) {
    retired.add(Content("key", "tea"sv));
    retired.tidy();
  }
}

}  // namespace

TEST_CASE("retired: without readers nothing waits") {
  Retired retired(nullptr);
  auto memory = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = memory;
  retired.add(std::move(memory));
  retired.add(Content("key", "tea"sv));
  CHECK(seen.expired());
  CHECK(retired.size() == 0);
}

TEST_CASE("retired: what somebody may look at stays until he has left") {
  for (const std::size_t place : {std::size_t{0}, ReadSections::places - 1}) {
    ReadSections readers;
    Retired retired(&readers);
    auto memory = std::make_shared<int>(1);
    const std::weak_ptr<int> seen = memory;
    {
      const ReadSections::Hold hold = readers.enter(place);
      retired.add(std::move(memory));
      std::thread([&] { retire_many(retired); }).join();
      CHECK_FALSE(seen.expired());
      CHECK(retired.size() > many);
    }
    retire_many(retired);
    CHECK(seen.expired());
    CHECK(retired.size() < many);
  }
}

TEST_CASE("retired: few that are large do not wait for many") {
  ReadSections readers;
  Retired retired(&readers);
  retired.add(Content("key", std::optional<std::string>(std::in_place, std::size_t{2} << 20, 'x')));
  CHECK(retired.size() == 1);
  retired.tidy();
  CHECK(retired.size() == 0);
}

TEST_CASE("retired: a place that was seen empty once is not waited for again") {
  ReadSections readers;
  Retired retired(&readers);
  auto memory = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = memory;
  {
    const ReadSections::Hold hold = readers.enter(1);
    retired.add(std::move(memory));
    std::thread([&] { retire_many(retired); }).join();  // all but that one are seen
  }
  CHECK_FALSE(seen.expired());
  const ReadSections::Hold hold = readers.enter(2);
  std::thread([&] { retired.tidy(); }).join();
  CHECK(seen.expired());
}

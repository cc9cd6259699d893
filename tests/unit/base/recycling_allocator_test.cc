#include <cstdint>
#include <string>
#include <utility>

#include "base/recycling_allocator.h"
#include "base/spare_buffers.h"
#include "catch.hpp"

using dynamo::core::RecyclingMap;
using dynamo::core::SpareBuffers;

TEST_CASE("a recycling map uses the memory of nodes that are gone") {
  RecyclingMap<std::uint64_t, std::string> map;
  const std::string* const first = &map.emplace(1, "one").first->second;
  map.erase(1);
  const std::string* const second = &map.emplace(2, "two").first->second;
  CHECK(second == first);
  CHECK(*second == "two");
  for (std::uint64_t i = 0; i < 5000; ++i) map.emplace(i, std::to_string(i));
  map.clear();
  for (std::uint64_t i = 0; i < 5000; ++i) CHECK(map.emplace(i, std::to_string(i)).second);
}

TEST_CASE("a recycling map that was moved from can be used again") {
  RecyclingMap<std::uint64_t, std::string> map;
  map.emplace(1, "one");
  const RecyclingMap<std::uint64_t, std::string> moved = std::move(map);
  map.clear();  // NOLINT: that is the question
  map.emplace(2, "two");
  CHECK(moved.at(1) == "one");
  CHECK(map.at(2) == "two");
}

TEST_CASE("buffers of this thread come back, empty and with room") {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{100'000}}) {
    while (SpareBuffers::take(bytes).capacity() >= 64) {
    }
  }
  std::string buffer(2000, 'x');
  SpareBuffers::give(std::move(buffer));
  const std::string again = SpareBuffers::take();
  CHECK(again.empty());
  CHECK(again.capacity() >= 2000);
  SpareBuffers::give(std::string(200, 'x'));
  CHECK(SpareBuffers::take().capacity() < 64);  // small ones are kept apart
  CHECK(SpareBuffers::take(100).capacity() >= 200);
  SpareBuffers::give(std::string(std::size_t{1} << 20, 'x'));  // more than is worth keeping
  CHECK(SpareBuffers::take().capacity() < 64);
}

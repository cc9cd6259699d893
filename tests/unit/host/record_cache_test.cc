#include "host/record_cache.h"

#include <string>

#include "catch.hpp"

using dynamo::host::RecordCache;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

std::string found(const RecordCache& cache, const std::string& key) {
  std::string record = "nothing";
  cache.read(RecordCache::hash_of(key), key,
             [&](std::string_view bytes) { record = std::string(bytes); });
  return record;
}

void keep(RecordCache& cache, const std::string& key, const std::string& record) {
  const std::uint64_t hash = RecordCache::hash_of(key);
  cache.keep(hash, key, record, cache.stamp(hash));
}

}  // namespace

TEST_CASE("cache: what was kept is read until it is forgotten") {
  RecordCache cache(mebibyte);
  CHECK(found(cache, "a") == "nothing");
  keep(cache, "a", "tea");
  keep(cache, "b", "");
  CHECK(found(cache, "a") == "tea");
  CHECK(found(cache, "b").empty());
  keep(cache, "a", "coffee");
  CHECK(found(cache, "a") == "coffee");
  cache.forget(RecordCache::hash_of("a"));
  CHECK(found(cache, "a") == "nothing");
  CHECK(found(cache, "b").empty());
  cache.forget(RecordCache::hash_of("b"));
  CHECK(cache.bytes() == 0);
}

// It was read from the engine before the newer one was in the object buffer, and comes afterwards.
TEST_CASE("cache: what was read before something newer was written is not kept") {
  RecordCache cache(mebibyte);
  const std::uint64_t hash = RecordCache::hash_of("a");
  const std::uint64_t stamp = cache.stamp(hash);
  cache.forget(hash);
  cache.keep(hash, "a", "old", stamp);
  CHECK(found(cache, "a") == "nothing");
  cache.keep(hash, "a", "new", cache.stamp(hash));
  CHECK(found(cache, "a") == "new");
}

TEST_CASE("cache: it holds no more than it may, and most of what it can") {
  RecordCache cache(mebibyte);
  const auto key = [](int i) { return "key" + std::to_string(i); };
  int kept = 0;
  for (int i = 0; i < 100'000; ++i) {
    keep(cache, key(i), std::string(200, 'x'));
    if (i % 1000 == 0) CHECK(cache.bytes() <= mebibyte);
  }
  for (int i = 0; i < 100'000; ++i) kept += found(cache, key(i)) == "nothing" ? 0 : 1;
  CHECK(kept > 2000);  // of 4,300 that there is room for
  CHECK(cache.bytes() <= mebibyte);
  const std::string large(RecordCache::record_bytes_max + 1, 'x');
  keep(cache, "large", large);
  CHECK(found(cache, "large") == "nothing");
}

TEST_CASE("cache: without room it keeps nothing") {
  RecordCache cache(0);
  keep(cache, "a", "tea");
  cache.forget(RecordCache::hash_of("a"));
  CHECK(found(cache, "a") == "nothing");
  CHECK(cache.bytes() == 0);
}

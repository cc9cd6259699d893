#include <string>

#include "base/hash.h"
#include "base/key_hash.h"
#include "catch.hpp"

namespace {

using dynamo::core::hash128;
using dynamo::core::Hash128;
using dynamo::core::hash64;

// These values are in every data directory and on every wire: they never change. The unseeded ones
// are xxHash's published vectors.
TEST_CASE("the hash is XXH3, and frozen") {
  CHECK(hash64("", 0) == 0x2d06800538d394c2);
  CHECK(hash64("a", 0) == 0xe6c632b61e964e1f);
  CHECK(hash64("abc", 0) == 0x78af5f94892f3950);
  CHECK((hash128("", 0) == Hash128{.high = 0x99aa06d3014798d8, .low = 0x6001c324468d497f}));
  CHECK((hash128("abc", 0) == Hash128{.high = 0x06b05ab6733a6185, .low = 0x78af5f94892f3950}));

  const std::string longer(1000, 'x');  // the path of the hash that takes stripes
  CHECK(hash64(longer, 7) == 0xa6b046c257309584);
  CHECK((hash128(longer, 7) == Hash128{.high = 0xea5cebe014ff1d14, .low = 0xa6b046c257309584}));
  CHECK(dynamo::core::checksum("") == 0xdae9bb6da77b0c7a);
  CHECK(dynamo::core::checksum("record") == 0x7e5d15fd4c38fb3f);
}

TEST_CASE("the seed of the cluster moves every key") {
  const dynamo::core::KeyHash one = dynamo::core::key_hash("key", 1);
  const dynamo::core::KeyHash two = dynamo::core::key_hash("key", 2);
  CHECK(one != two);
  const Hash128 plain = hash128("key", 1);
  CHECK(one.high == plain.high);
  CHECK(one.low == plain.low);
}

}  // namespace

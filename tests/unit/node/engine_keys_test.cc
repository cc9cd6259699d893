#include "node/engine_keys.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <absl/strings/escaping.h>
#include <dynamo/storage_engine.h>

#include "catch.hpp"

using namespace dynamo::core;

namespace {

std::string hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

}  // namespace

// A change of these bytes makes every data directory unreadable.
TEST_CASE("engine keys: golden bytes") {
  CHECK(identity_key() == "i");
  CHECK(membership_key() == "m");
  CHECK(hex(peer_key("b")) == "7003a517e20ef40cf10159faee5dfc4c80");
  CHECK(hex(store_key("carts")) == "73eea2cce22f2e3dc9cf9b7d723da52b0c");
  CHECK(hex(object_key("carts", {.high = 0x0102030405060708, .low = 0x090a0b0c0d0e0f10})) ==
        "6f9ba4de9f9d324d870102030405060708090a0b0c0d0e0f10");
}

TEST_CASE("engine keys are short, whatever the names") {
  const std::string name(255, 'n');
  for (const std::string& key :
       {peer_key(name), store_key(name), object_key(name, {~0ull, ~0ull})}) {
    CHECK(key.size() <= dynamo::StorageEngine::key_bytes_max);
  }
}

TEST_CASE("engine keys: kinds and names are told apart") {
  const std::set<std::string> keys = {identity_key(),      membership_key(),   peer_key("a"),
                                      peer_key("b"),       store_key("a"),     store_key("b"),
                                      object_key("a", {}), object_key("b", {})};
  CHECK(keys.size() == 8);
  CHECK(is_kind(store_key("a"), RecordKind::store));
  CHECK_FALSE(is_kind(store_key("a"), RecordKind::peer));
  CHECK_FALSE(is_kind("", RecordKind::peer));
}

TEST_CASE("engine keys: objects of a store lie along the ring, a partition is one range") {
  const std::vector<std::string> keys = {object_key("s", {.high = 0, .low = 1}),
                                         object_key("s", {.high = 0, .low = 0x8000000000000000}),
                                         object_key("s", {.high = 1, .low = 0}),
                                         object_key("s", {.high = 0x00ff000000000000, .low = 0}),
                                         object_key("s", {.high = 0x7fffffffffffffff, .low = 0}),
                                         object_key("s", {.high = 0x8000000000000000, .low = 0}),
                                         object_key("s", {.high = ~0ull, .low = ~0ull})};
  CHECK(std::ranges::is_sorted(keys));
}

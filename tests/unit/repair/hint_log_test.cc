#include "repair/hint_log.h"

#include <vector>

#include "catch.hpp"

using dynamo::Identity;
using dynamo::core::HintLog;
using Identities = std::vector<Identity>;

TEST_CASE("hints: counted by key, bytes and whom they are owed to") {
  HintLog log;
  log.put("k1", {{2, 2}}, "carts", 100, 50, 0);
  log.put("k2", {{2, 2}, {1, 1}}, "carts", 10, 40, 0);
  CHECK(log.hints().size() == 2);
  CHECK(log.bytes() == 110 + 2 * HintLog::overhead);
  CHECK(log.owed_to({2, 2}) == 2);
  CHECK(log.owed_to({1, 1}) == 1);
  CHECK(log.oldest_us() == 40);
  CHECK(log.find("k2")->owed == Identities{{1, 1}, {2, 2}});

  log.erase("k2");
  CHECK(log.owed_to({2, 2}) == 1);
  CHECK(log.owed_to({1, 1}) == 0);
  CHECK(log.oldest_us() == 50);
  log.erase("k1");
  log.erase("k1");
  CHECK(log.bytes() == 0);
  CHECK(log.oldest_us() == 0);
}

TEST_CASE("hints: one that changes is owed to more, and nobody has synced it") {
  HintLog log;
  log.put("k", {{1, 1}}, "carts", 100, 50, 0);
  const std::uint64_t first = log.find("k")->revision;
  log.note_synced("k", first, 1, {1, 1});
  CHECK(log.find("k")->has_synced({1, 1}, 1));
  log.put("k", {{2, 2}}, "carts", 120, 60, 0);
  CHECK(log.find("k")->synced.empty());
  CHECK(log.find("k")->owed == Identities{{1, 1}, {2, 2}});
  CHECK(log.find("k")->since_us == 50);
  log.note_synced("k", first, 1, {1, 1});  // a late word on the set that was
  CHECK(log.find("k")->synced.empty());

  const std::uint64_t second = log.find("k")->revision;
  log.note_synced("k", second, 1, {1, 1});
  log.strike("k", {{2, 2}}, 110);
  CHECK(log.find("k")->has_synced({1, 1}, 1));  // the set is the same
  CHECK(log.owed_to({1, 1}) == 0);
  CHECK(log.bytes() == 110 + HintLog::overhead);
}

TEST_CASE("hints: what was said in another view does not count") {
  HintLog log;
  log.put("k", {{1, 1}}, "carts", 100, 50, 0);
  const std::uint64_t revision = log.find("k")->revision;
  log.note_synced("k", revision, 1, {1, 1});
  CHECK_FALSE(log.find("k")->has_synced({1, 1}, 2));
  log.note_synced("k", revision, 2, {2, 2});
  CHECK(log.find("k")->has_synced({2, 2}, 2));
  CHECK_FALSE(log.find("k")->has_synced({1, 1}, 2));
}

TEST_CASE("hints: room for what is new, always for what shrinks") {
  HintLog log;
  const std::size_t max = 2 * HintLog::overhead + 100;
  CHECK(log.has_room("k1", 50, max));
  log.put("k1", {{1, 1}}, "carts", 50, 1, 0);
  CHECK(log.has_room("k2", 50, max));
  CHECK_FALSE(log.has_room("k2", 51, max));
  CHECK(log.has_room("k1", 100, max));
  CHECK(log.has_room("k1", 40, 0));
  CHECK_FALSE(log.has_room("k1", 60, 0));
}

TEST_CASE("hints: left of those that were there at some time") {
  HintLog log;
  log.put("k1", {{1, 1}}, "carts", 50, 1, 0);
  const std::uint64_t then = log.last_revision();
  log.put("k2", {{1, 1}}, "carts", 50, 1, 0);
  log.put("k1", {{1, 1}}, "carts", 60, 2, 0);  // still owed what it was owed then
  CHECK(log.left_of(then) == 2);
  CHECK(log.left_of(then - 1) == 0);
  log.erase("k1");
  CHECK(log.left_of(then) == 0);
  CHECK(log.left_of(log.last_revision()) == 1);
  CHECK(log.erased() == 1);
}

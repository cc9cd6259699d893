#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "causality/replica_key.h"
#include "causality/version_set.h"
#include "unit/causality/encoded.h"

namespace {

using dynamo::ActorId;
using dynamo::Dot;
using dynamo::WriteId;
using dynamo::core::ActorSource;
using dynamo::core::Conflict;
using dynamo::core::Encoder;
using dynamo::core::History;
using dynamo::core::HybridTime;
using dynamo::core::Prng;
using dynamo::core::PutRequest;
using dynamo::core::ReplicaKey;
using dynamo::core::StoredVersion;
using dynamo::core::VersionSet;

constexpr ActorId a = {.boot = 1, .sequence = 1};
constexpr ActorId b = {.boot = 2, .sequence = 1};

StoredVersion version(const Dot& dot, std::uint64_t clock, std::optional<std::string> object) {
  return {.dot = dot,
          .write_id = {.high = clock, .low = dot.counter},
          .clock = HybridTime{clock},
          .written_at_us = 7,
          .object = std::move(object)};
}

History history(std::initializer_list<Dot> dots) {
  History history;
  for (const Dot& dot : dots) history.add(dot);
  return history;
}

std::vector<std::string> objects(const VersionSet& set) {
  std::vector<std::string> objects;
  for (const StoredVersion& v : set.versions()) objects.push_back(v.object.value_or("deleted"));
  return objects;
}

VersionSet merged(VersionSet x, const VersionSet& y, Conflict conflict) {
  x.merge(y, conflict);
  return x;
}

// Sets that three replicas of one key come to hold: merge keeps its laws on these, which share dots
// and know of each other, and not on sets made up at random.
std::vector<VersionSet> reachable_sets(Prng& prng, Conflict conflict) {
  struct Replica {
    ReplicaKey key{};
    ActorSource actors{0};
  };
  std::array<Replica, 3> replicas;
  for (Replica& r : replicas) r.actors = ActorSource(prng.next());
  std::vector<VersionSet> sets = {VersionSet{}};
  struct Context {
    History history{};
    HybridTime latest{};
  };
  std::vector<Context> contexts = {{}};
  for (std::uint64_t write = 1; write <= 12; ++write) {
    Replica& r = replicas[prng.below(3)];
    const Context context = contexts[prng.below(contexts.size())];
    PutRequest request = {.context = context.history,
                          .write_id = {.high = prng.below(3), .low = write},
                          .clock = std::max(HybridTime{1 + prng.below(9)}, context.latest.next()),
                          .written_at_us = static_cast<std::int64_t>(prng.below(3)) - 1};
    if (prng.chance(0.7)) request.object = std::string(prng.below(4), 'o');
    if (prng.chance(0.3)) request.expires_at_us = 1 + static_cast<std::int64_t>(prng.below(300));
    const Dot dot = r.key.put(request, conflict, r.actors);
    if (prng.chance(0.5)) {
      contexts.push_back({r.key.set.history(), r.key.set.latest()});
    } else {
      contexts.push_back({request.context, request.clock});
      contexts.back().history.add(dot);
    }
    if (prng.chance(0.4)) r.key.merge(sets[prng.below(sets.size())], conflict);
    if (prng.chance(0.1)) r.key = {};
    sets.push_back(r.key.set);
  }
  return sets;
}

TEST_CASE("merge of version sets is commutative, associative and idempotent") {
  const Conflict conflict = GENERATE(Conflict::keep_siblings, Conflict::last_write_wins);
  std::size_t siblings = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    const std::vector<VersionSet> sets = reachable_sets(prng, conflict);
    for (int i = 0; i < 10; ++i) {
      const VersionSet& x = sets[prng.below(sets.size())];
      const VersionSet& y = sets[prng.below(sets.size())];
      const VersionSet& z = sets[prng.below(sets.size())];
      const VersionSet xy = merged(x, y, conflict);
      siblings = std::max(siblings, xy.versions().size());
      REQUIRE(xy == merged(y, x, conflict));
      REQUIRE(merged(xy, z, conflict) == merged(x, merged(y, z, conflict), conflict));
      REQUIRE(merged(x, x, conflict) == x);
      REQUIRE(merged(xy, x, conflict) == xy);
      REQUIRE(merged(x, VersionSet{}, conflict) == x);
    }
  }
  if (conflict == Conflict::keep_siblings) {
    CHECK(siblings > 2);
  } else {
    CHECK(siblings == 1);
  }
}

TEST_CASE("put drops exactly what its context covers") {
  VersionSet set;
  set.put({}, version({a, 1}, 1, "one"), Conflict::keep_siblings);
  set.put({}, version({b, 1}, 2, "two"), Conflict::keep_siblings);
  set.put({}, version({a, 2}, 3, "three"), Conflict::keep_siblings);
  CHECK(objects(set) == std::vector<std::string>{"one", "three", "two"});

  const History context = history({{a, 2}, {b, 9}});
  CHECK(set.size_after_put(context) == 3);
  CHECK(set.size_after_put({}) == 4);
  set.put(context, version({b, 2}, 4, "four"), Conflict::keep_siblings);
  CHECK(objects(set) == std::vector<std::string>{"one", "two", "four"});
  CHECK(set.history() == history({{a, 1}, {a, 2}, {b, 1}, {b, 2}, {b, 9}}));

  CHECK(set.size_after_put(set.history()) == 1);
  set.put(set.history(), version({a, 3}, 5, "all"), Conflict::keep_siblings);
  CHECK(objects(set) == std::vector<std::string>{"all"});
}

TEST_CASE("what one side has seen and let go does not come back") {
  VersionSet old;
  old.put({}, version({a, 1}, 1, "old"), Conflict::keep_siblings);
  VersionSet replaced = old;
  replaced.put(old.history(), version({b, 1}, 2, "new"), Conflict::keep_siblings);
  CHECK(merged(old, replaced, Conflict::keep_siblings) == replaced);
  CHECK(merged(replaced, old, Conflict::keep_siblings) == replaced);
}

TEST_CASE("of concurrent versions the largest clock wins, then the largest write id") {
  const auto lww = Conflict::last_write_wins;
  VersionSet early;
  early.put({}, version({b, 1}, 10, "early"), lww);
  VersionSet late;
  late.put({}, version({a, 1}, 11, "late"), lww);
  CHECK(objects(merged(early, late, lww)) == std::vector<std::string>{"late"});
  CHECK(merged(early, late, lww).history() == history({{a, 1}, {b, 1}}));

  StoredVersion smaller = version({b, 2}, 11, "smaller id");
  smaller.write_id = {.high = 11, .low = 0};
  CHECK(dynamo::core::wins_over(late.versions().front(), smaller));
  CHECK_FALSE(dynamo::core::wins_over(smaller, late.versions().front()));
  late.put({}, smaller, lww);  // loses to a version that it did not see
  CHECK(objects(late) == std::vector<std::string>{"late"});
  CHECK(late.history().contains({b, 2}));
}

TEST_CASE("a write is found by its id") {
  VersionSet set;
  CHECK(set.find_write({.high = 1, .low = 1}) == nullptr);
  set.put({}, version({a, 1}, 1, "one"), Conflict::keep_siblings);
  set.put({}, version({a, 2}, 2, "two"), Conflict::keep_siblings);
  const StoredVersion* found = set.find_write({.high = 2, .low = 2});
  REQUIRE(found != nullptr);
  CHECK(found->dot == Dot{a, 2});
  CHECK(set.find_write({.high = 2, .low = 1}) == nullptr);
  set.put(set.history(), version({a, 3}, 3, "three"), Conflict::keep_siblings);
  CHECK(set.find_write({.high = 2, .low = 2}) == nullptr);
  CHECK(set.latest() == HybridTime{3});
  CHECK(VersionSet{}.latest() == HybridTime{});
}

TEST_CASE("a version is visible until it expires, a delete never") {
  StoredVersion v = version({a, 1}, 1, "object");
  CHECK(v.visible_at(1'000'000));
  v.expires_at_us = 50;
  CHECK(v.visible_at(49));
  CHECK_FALSE(v.visible_at(50));
  CHECK_FALSE(version({a, 1}, 1, std::nullopt).visible_at(0));
}

TEST_CASE("version sets have one encoding") {
  const Conflict conflict = GENERATE(Conflict::keep_siblings, Conflict::last_write_wins);
  for (std::uint64_t seed = 1; seed <= 1; ++seed) {
    Prng prng(seed);
    for (const VersionSet& set : reachable_sets(prng, conflict)) {
      CAPTURE(seed);
      REQUIRE(test::codec_fault(set) == "");
    }
  }
}

TEST_CASE("decoding refuses versions out of order, unknown to the history, or too many") {
  VersionSet one;
  one.put({}, version({a, 1}, 1, "x"), Conflict::keep_siblings);
  const std::string history_of_one = test::encoded(one.history());
  const std::string version_of_one = test::encoded(one).substr(history_of_one.size() + 1);
  REQUIRE(test::decoded<VersionSet>(history_of_one + "\x01" + version_of_one).done);

  const std::string empty_history = test::encoded(History{});
  const std::vector<std::string> refused = {
      empty_history + "\x01" + version_of_one,                    // not in the history
      history_of_one + "\x02" + version_of_one + version_of_one,  // twice
      history_of_one + "\x02" + version_of_one,                   // fewer than said
      history_of_one + "\xff\xff\x3f",                            // far fewer
      history_of_one + "\x01" + version_of_one + "x",             // more than said
  };
  for (const std::string& bytes : refused) {
    CAPTURE(test::hex(bytes));
    CHECK_FALSE(test::decoded<VersionSet>(bytes).done);
  }
}

TEST_CASE("the bytes of a version set are those of format 1") {
  VersionSet set;
  StoredVersion first = version({a, 1}, 0x0203, "hi");
  first.written_at_us = 300;
  first.expires_at_us = 128;
  set.put({}, first, Conflict::keep_siblings);
  set.put({}, version({a, 2}, 0x0204, std::nullopt), Conflict::keep_siblings);
  CHECK(test::hex(test::encoded(set)) ==
        "0101000000000000000102"            // the history's vector: one entry, 1.1:2
        "00"                                // no dots beyond a gap
        "02"                                // two versions
        "01000000000000000101"              // dot 1.1:1
        "03020000000000000100000000000000"  // write id
        "0302000000000000"                  // clock
        "ac02"                              // written at
        "038001"                            // has an object and expires, at 128
        "026869"                            // "hi"
        "01000000000000000102"              // dot 1.1:2
        "04020000000000000200000000000000"  // write id
        "0402000000000000"                  // clock
        "07"                                // written at
        "00");                              // a delete that never expires
}

}  // namespace

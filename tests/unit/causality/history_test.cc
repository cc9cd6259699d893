#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "causality/history.h"
#include "unit/causality/encoded.h"

namespace {

using dynamo::ActorId;
using dynamo::Dot;
using dynamo::core::Encoder;
using dynamo::core::History;
using dynamo::core::Prng;

using Dots = std::set<Dot>;

constexpr ActorId a = {.boot = 1, .sequence = 1};
constexpr ActorId b = {.boot = 2, .sequence = 1};
constexpr std::uint64_t u64_max = std::numeric_limits<std::uint64_t>::max();

Dots random_dots(Prng& prng) {
  Dots dots;
  for (std::uint64_t n = prng.below(14); n > 0; --n) {
    dots.insert(
        {.actor = {.boot = 1 + prng.below(3), .sequence = 1}, .counter = 1 + prng.below(7)});
  }
  return dots;
}

// Adds in random order, as dots arrive.
History history_of(const Dots& dots, Prng& prng) {
  std::vector<Dot> order(dots.begin(), dots.end());
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[prng.below(i)]);
  History history;
  for (const Dot& dot : order) history.add(dot);
  return history;
}

History merged(History x, const History& y) {
  x.merge(y);
  return x;
}

Dots united(Dots x, const Dots& y) {
  x.insert(y.begin(), y.end());
  return x;
}

std::uint64_t highest(const Dots& dots, const ActorId& actor) {
  std::uint64_t counter = 0;
  for (const Dot& dot : dots) {
    if (dot.actor == actor) counter = std::max(counter, dot.counter);
  }
  return counter;
}

// An entry of the vector or a single dot, as encode() writes them.
struct Entry {
  ActorId actor;
  std::uint64_t counter;
};

std::string bytes_of(const std::vector<Entry>& clock, const std::vector<Entry>& dots) {
  std::string bytes;
  Encoder out(bytes);
  for (const auto* part : {&clock, &dots}) {
    out.varint(part->size());
    for (const Entry& entry : *part) {
      out.fixed64(entry.actor.boot);
      out.varint(entry.actor.sequence);
      out.varint(entry.counter);
    }
  }
  return bytes;
}

TEST_CASE("dots fold into the vector once the gap closes") {
  History history;
  history.add({a, 1});
  history.add({a, 3});
  history.add({a, 4});
  CHECK(history.clock()[a] == 1);
  CHECK(history.dots().size() == 2);
  CHECK(history.contains({a, 3}));
  CHECK_FALSE(history.contains({a, 2}));
  CHECK_FALSE(history.contains({a, 5}));
  CHECK_FALSE(history.contains({b, 1}));
  CHECK(history.highest(a) == 4);
  CHECK(history.size() == 3);
  CHECK(history.to_string() == "{1.1:1} +1.1:3 +1.1:4");

  history.add({a, 2});
  CHECK(history.clock()[a] == 4);
  CHECK(history.dots().empty());
  CHECK(history.size() == 1);
}

TEST_CASE("a dot that names nothing is not added") {
  History history;
  history.add({a, 0});
  CHECK(history.empty());
  CHECK(history == History{});
}

TEST_CASE("a history is the set of its dots") {
  Prng prng(1);
  for (int i = 0; i < 3000; ++i) {
    const Dots x = random_dots(prng);
    const Dots y = random_dots(prng);
    const History hx = history_of(x, prng);
    const History hy = history_of(y, prng);
    CAPTURE(hx.to_string(), hy.to_string());
    REQUIRE((hx == hy) == (x == y));
    REQUIRE(hx.covers(hy) == std::ranges::includes(x, y));
    REQUIRE(merged(hx, hy) == history_of(united(x, y), prng));
    REQUIRE(hx.empty() == x.empty());
    for (std::uint64_t boot = 0; boot <= 4; ++boot) {
      const ActorId actor = {.boot = boot, .sequence = 1};
      REQUIRE(hx.highest(actor) == highest(x, actor));
      for (std::uint64_t counter = 1; counter <= 9; ++counter) {
        REQUIRE(hx.contains({actor, counter}) == x.contains({actor, counter}));
      }
    }
  }
}

TEST_CASE("merge of histories is commutative, associative and idempotent") {
  Prng prng(2);
  for (int i = 0; i < 3000; ++i) {
    const History x = history_of(random_dots(prng), prng);
    const History y = history_of(random_dots(prng), prng);
    const History z = history_of(random_dots(prng), prng);
    REQUIRE(merged(x, y) == merged(y, x));
    REQUIRE(merged(merged(x, y), z) == merged(x, merged(y, z)));
    REQUIRE(merged(x, x) == x);
    REQUIRE(merged(x, y).covers(x));
    REQUIRE(merged(x, History{}) == x);
  }
}

TEST_CASE("histories have one encoding") {
  Prng prng(3);
  CHECK(test::codec_fault(History{}).empty());
  for (int i = 0; i < 30; ++i) {
    REQUIRE(test::codec_fault(history_of(random_dots(prng), prng)) == "");
  }
}

TEST_CASE("decoding refuses what encode() would not write") {
  CHECK(test::decoded<History>(bytes_of({{a, 1}, {b, 2}}, {{a, 3}, {b, 4}})).done);
  const std::vector<std::string> refused = {
      bytes_of({{a, 0}}, {}),                                 // a counter of zero
      bytes_of({{b, 1}, {a, 1}}, {}),                         // out of order
      bytes_of({{a, 1}, {a, 2}}, {}),                         // twice
      bytes_of({{a, 1}}, {{a, 1}}),                           // in the vector already
      bytes_of({{a, 1}}, {{a, 2}}),                           // could be folded
      bytes_of({}, {{a, 1}}),                                 // could be folded
      bytes_of({}, {{a, 0}}),                                 // names nothing
      bytes_of({}, {{b, 2}, {a, 2}}),                         // out of order
      bytes_of({}, {{a, 3}, {a, 3}}),                         // twice
      bytes_of({{a, u64_max}}, {{a, 5}}),                     // in the vector already
      bytes_of({{a, u64_max}}, {{a, 0}}),                     // names nothing
      "\xff\xff\xff\xff\x0f",                                 // four thousand million entries
      bytes_of({{a, 1}}, {}).substr(0, 11) + "\xff\xff\x03",  // more dots than bytes
  };
  for (const std::string& bytes : refused) {
    CAPTURE(test::hex(bytes));
    dynamo::core::Decoder in(bytes);
    CHECK(History::decode(in) == History{});
    CHECK_FALSE(in.ok());
  }
}

// No node counts that far, but a hostile peer or a forged context may say so.
TEST_CASE("the greatest counter folds like any other") {
  const History everything = test::decoded<History>(bytes_of({{a, u64_max}}, {})).value;
  REQUIRE(everything.clock()[a] == u64_max);
  History history;
  history.add({a, 5});
  history.add({b, 2});
  CHECK(everything.contains({a, 5}));
  CHECK_FALSE(history.covers(everything));

  History left = everything;
  left.merge(history);
  CHECK(left.dots().size() == 1);  // b's alone
  History right = history;
  right.merge(everything);
  CHECK(left == right);
  CHECK(test::codec_fault(left).empty());

  History top;
  top.add({a, u64_max});
  CHECK(top.highest(a) == u64_max);
  CHECK(top.dots().size() == 1);
  top.merge(test::decoded<History>(bytes_of({{a, u64_max - 1}}, {})).value);
  CHECK(top == everything);
}

TEST_CASE("the bytes of a history are those of format 1") {
  History history;
  history.add({.actor = {.boot = 0x0102030405060708, .sequence = 1}, .counter = 1});
  history.add({.actor = {.boot = 0x0102030405060708, .sequence = 1}, .counter = 2});
  history.add({.actor = {.boot = 0x0102030405060708, .sequence = 1}, .counter = 300});
  history.add({.actor = {.boot = 9, .sequence = 200}, .counter = 1});
  CHECK(test::hex(test::encoded(history)) ==
        "02"                        // two entries of the vector
        "0900000000000000c80101"    // 9.c8:1
        "08070605040302010102"      // 102030405060708.1:2
        "01"                        // one dot beyond a gap
        "080706050403020101ac02");  // 102030405060708.1:300
}

}  // namespace

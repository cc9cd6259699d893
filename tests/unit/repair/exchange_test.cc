#include "repair/exchange.h"

#include <string>

#include <fmt/format.h>

#include "base/prng.h"
#include "catch.hpp"
#include "repair/exchange_answers.h"
#include "unit/repair/memory_records.h"

using namespace dynamo::core;
using test::MemoryRecords;
using test::run_exchange;
using test::Traffic;

namespace {

// Keys of partition 1 of 2.
std::string key_of(int number) {
  for (int salt = 0;; ++salt) {
    std::string key = fmt::format("k{}.{}", number, salt);
    if (MemoryRecords::hash(key).high >> 63 == 1) return key;
  }
}

struct Pair {
  MemoryRecords a{1, 1};
  MemoryRecords b{1, 1};

  void fill(int keys) {
    for (int i = 0; i < keys; ++i) {
      const std::string key = key_of(i);
      a.put(key, 1, "object");
      b.put(key, 1, "object");
    }
  }
};

}  // namespace

TEST_CASE("exchange: equal data costs one question") {
  Pair pair;
  pair.fill(1000);
  const Traffic traffic = run_exchange(pair.a, pair.b);
  CHECK(traffic.status.ok());
  CHECK(traffic.requests == 1);
  CHECK(traffic.bytes < 100);
  CHECK(traffic.differences == 0);
  CHECK_FALSE(traffic.received);
}

TEST_CASE("exchange: one difference in 100,000 keys") {
  Pair pair;
  pair.fill(100'000);
  REQUIRE(pair.a.same_as(pair.b));
  const std::string key = key_of(500);
  SECTION("a newer set there") { pair.b.put(key, 2, "newer"); }
  SECTION("a newer set here") { pair.a.put(key, 2, "newer"); }
  SECTION("siblings") {
    pair.a.put(key, 2, "here");
    pair.b.put(key, 3, "there");
  }
  SECTION("a record less there") { pair.b.erase(key); }
  SECTION("a record less here") { pair.a.erase(key); }
  const Traffic traffic = run_exchange(pair.a, pair.b);
  WARN("one difference in 100,000 keys: " << traffic.bytes << " bytes, " << traffic.requests
                                          << " round trips");
  CHECK(traffic.status.ok());
  CHECK(traffic.differences == 1);
  CHECK(traffic.bytes < 4096);
  CHECK(traffic.requests <= 8);
  CHECK(pair.a.same_as(pair.b));
}

TEST_CASE("exchange: the cost follows the differences") {
  Pair pair;
  pair.fill(20'000);
  for (int i = 0; i < 20'000; i += 100) pair.b.put(key_of(i), 2, "newer");
  const Traffic traffic = run_exchange(pair.a, pair.b);
  CHECK(traffic.status.ok());
  CHECK(traffic.differences == 200);
  CHECK(traffic.received);
  CHECK(traffic.bytes < std::size_t{200} * 2048);
  CHECK(pair.a.same_as(pair.b));
  CHECK(run_exchange(pair.b, pair.a).requests == 1);
}

TEST_CASE("exchange: an owner that has lost everything gets everything, in bounded messages") {
  Pair pair;
  for (int i = 0; i < 10'000; ++i) pair.a.put(key_of(i), 1, std::string(200, 'x'));
  const bool wiped_asks = GENERATE(true, false);
  CAPTURE(wiped_asks);
  const Traffic traffic = wiped_asks ? run_exchange(pair.b, pair.a) : run_exchange(pair.a, pair.b);
  CHECK(traffic.status.ok());
  CHECK(traffic.received == wiped_asks);
  CHECK(traffic.differences == 10'000);
  CHECK(traffic.largest_bytes < std::size_t{300} << 10);
  CHECK(pair.a.same_as(pair.b));
}

TEST_CASE("exchange: a set above the size of a page travels alone") {
  Pair pair;
  pair.a.put(key_of(1), 1, std::string(1 << 20, 'x'));
  pair.a.put(key_of(2), 1, std::string(1 << 20, 'y'));
  pair.b.put(key_of(3), 1, std::string(1 << 20, 'z'));
  pair.b.put(key_of(1), 2, std::string(1 << 20, 'w'));
  const Traffic traffic = run_exchange(pair.a, pair.b);
  CHECK(traffic.status.ok());
  CHECK(traffic.largest_bytes < std::size_t{3} << 20);
  CHECK(pair.a.same_as(pair.b));
}

TEST_CASE("exchange: two random stores become their merge, whoever asks") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    Pair pair;
    pair.a.list_max = 1 + prng.below(50);
    pair.b.list_max = 1 + prng.below(50);
    const double shared = static_cast<double>(prng.below(100)) / 100;
    for (int i = 0; i < 400; ++i) {
      const std::string key = key_of(static_cast<int>(prng.below(300)));
      const std::uint64_t actor = 1 + prng.below(1'000'000);  // no dot is given twice
      if (prng.chance(shared)) {
        pair.a.put(key, actor, "x");
        pair.b.put(key, actor, "x");
      } else {
        (prng.chance(0.5) ? pair.a : pair.b).put(key, actor, "x");
      }
    }
    auto merged = pair.a.records;
    for (const auto& [hash, record] : pair.b.records) {
      merged[hash].key = record.key;
      merged[hash].set.merge(record.set, Conflict::keep_siblings);
    }
    const Traffic traffic = run_exchange(pair.a, pair.b);
    CHECK(traffic.status.ok());
    CHECK(pair.a.records == merged);
    CHECK(pair.a.same_as(pair.b));
  }
}

TEST_CASE("exchange: a side that takes no writes ends it, and says so") {
  Pair pair;
  pair.fill(10);
  pair.a.put(key_of(1), 2, "newer");
  pair.b.put(key_of(2), 2, "newer");
  SECTION("the one that is asked") {
    pair.b.full = absl::ResourceExhaustedError("the buffer is full");
    const Traffic traffic = run_exchange(pair.a, pair.b);
    CHECK(traffic.status.code() == absl::StatusCode::kUnavailable);
    CHECK(traffic.status.message() == "it refused: the buffer is full");
  }
  SECTION("the one that asks") {
    pair.a.full = absl::ResourceExhaustedError("the buffer is full");
    CHECK(run_exchange(pair.a, pair.b).status == pair.a.full);
  }
}

TEST_CASE("exchange: scopes that mean different things are told apart") {
  const ExchangeScope own{.partition = 3, .owners = 7, .generation = 2};
  CHECK(scope_difference(own, own).empty());
  ExchangeScope asked = own;
  asked.owners = 8;
  CHECK(scope_difference(asked, own) == "its owners are others here");
  asked = own;
  asked.generation = 1;
  CHECK(scope_difference(asked, own) == "at generation 2, asked at generation 1");
  asked.format = 2;
  CHECK(scope_difference(asked, own) == "trees of format 1, asked for format 2");
}

TEST_CASE("exchange: answers without sense end it") {
  Pair pair;
  pair.fill(10);
  pair.b.put(key_of(2), 2, "newer");
  Exchange exchange({.store = {.name = "carts", .n = 3}});
  REQUIRE(exchange.next(pair.a).has_value());
  SECTION("a node that was not asked for") {
    TreeReply reply{.answer = ExchangeAnswer::ok};
    reply.differing.push_back({.node = {1, 3}});
    CHECK(exchange.take(reply, pair.a).code() == absl::StatusCode::kInvalidArgument);
  }
  SECTION("leaves that nobody asked for") {
    CHECK(exchange.take(LeafReply{.answer = ExchangeAnswer::ok}, pair.a).code() ==
          absl::StatusCode::kInvalidArgument);
  }
  SECTION("more served than was wanted") {
    CHECK(exchange.take(SetsReply{.answer = ExchangeAnswer::ok, .served = 1}, pair.a).code() ==
          absl::StatusCode::kInvalidArgument);
  }
  SECTION("a tree that is not there yet") {
    CHECK(exchange.take(TreeReply{.answer = ExchangeAnswer::not_ready}, pair.a).code() ==
          absl::StatusCode::kUnavailable);
  }
}

TEST_CASE("exchange: questions without sense are refused") {
  Pair pair;
  pair.fill(10);
  const TreeNode leaf{static_cast<std::uint8_t>(pair.a.tree().levels()), 0};
  CHECK(answer(TreeRequest{.nodes = {{leaf, {}}}}, pair.a).answer == ExchangeAnswer::refused);
  CHECK(answer(TreeRequest{.nodes = {{{1, 16}, {}}}}, pair.a).answer == ExchangeAnswer::refused);
  CHECK(answer(LeafRequest{.nodes = {{8, 0}}}, pair.a).answer == ExchangeAnswer::refused);
  CHECK(answer(LeafRequest{.nodes = {{1, 3}, {1, 2}}}, pair.a).answer == ExchangeAnswer::refused);
  CHECK(answer(LeafRequest{.nodes = {{1, 3}}, .from = {~std::uint64_t{0}, 0}}, pair.a).answer ==
        ExchangeAnswer::refused);
}

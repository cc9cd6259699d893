#include "coordinator/get_operation.h"

#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace dynamo::core;
using dynamo::Outcome;
using dynamo::ReplicaReport;
using Answer = ReplicaReport::Answer;

namespace {

const std::vector<std::string> owners = {"a", "b", "c"};
const VersionSet nothing;

// A set of one version with this dot, by actor `boot`.
VersionSet version(std::uint64_t boot, std::uint64_t counter, std::optional<std::string> object) {
  VersionSet set;
  set.put({},
          {.dot = {{boot, 1}, counter},
           .write_id = {boot, counter},
           .clock = {boot},
           .object = std::move(object)},
          Conflict::keep_siblings);
  return set;
}

// What a replica holds once a put that saw `before` has replaced it.
VersionSet after(const VersionSet& before, std::uint64_t boot) {
  VersionSet set = before;
  set.put(before.history(), {.dot = {{boot, 1}, 1}, .write_id = {boot, 1}, .object = "later"},
          Conflict::keep_siblings);
  return set;
}

GetOperation get(int r, History at_least = {}) {
  return GetOperation(owners, r, Conflict::keep_siblings, std::move(at_least));
}

// "f" found, "n" not found, "x" refused, "u" unreachable; the letter of the owner comes first.
void feed(GetOperation& operation, const std::string& event) {
  const std::string node = event.substr(0, 1);
  switch (event[1]) {
    case 'f':
      return operation.answered(node, version(7, 1, "book"));
    case 'n':
      return operation.answered(node, nothing);
    case 'x':
      return operation.refused(node, "damaged");
    case 'u':
      return operation.unreachable(node, "silent for 3.1 s");
    default:
      FAIL("no such event: " << event);
  }
}

struct Case {
  int r = 0;
  std::vector<std::string> events{};
  // After each event: '.' still asking, 'e' enough, 'h' hopeless.
  std::string states{};
};

}  // namespace

TEST_CASE("a get is done at exactly r answers, and hopeless once they cannot come") {
  const std::vector<Case> cases = {
      {1, {"af"}, "e"},
      {1, {"an"}, "e"},
      {1, {"ax", "bu", "cf"}, "..e"},
      {1, {"ax", "bu", "cx"}, "..h"},
      {2, {"af", "bf"}, ".e"},
      {2, {"an", "bn"}, ".e"},
      {2, {"an", "bf"}, ".e"},
      {2, {"af", "af", "af", "bf"}, "...e"},         // a duplicate counts once
      {2, {"an", "af", "ax", "au", "bn"}, "....e"},  // nor does a second answer
      {2, {"df", "ef", "af", "bf"}, "...e"},         // nor one that was not asked (trap D1)
      {2, {"ax", "bf", "cf"}, "..e"},
      {2, {"ax", "bx"}, ".h"},
      {2, {"au", "bu"}, ".h"},
      {2, {"au", "bf", "af"}, "..e"},         // unreachable, but it did answer
      {2, {"au", "bu", "cf", "af"}, ".hhe"},  // and even after that
      {2, {"ax", "bu", "af"}, ".hh"},         // a refusal is final
      {3, {"af", "bf", "cn"}, "..e"},
      {3, {"ax"}, "h"},
      {3, {"au"}, "h"},
  };
  for (const Case& c : cases) {
    GetOperation operation = get(c.r);
    CHECK_FALSE(operation.enough());
    CHECK_FALSE(operation.hopeless());
    REQUIRE(c.events.size() == c.states.size());
    std::string told = "r=" + std::to_string(c.r);
    for (std::size_t i = 0; i < c.events.size(); ++i) {
      feed(operation, c.events[i]);
      told += " " + c.events[i];
      INFO(told);
      CHECK(operation.enough() == (c.states[i] == 'e'));
      CHECK(operation.hopeless() == (c.states[i] == 'h'));
      CHECK(operation.outcome().verdict ==
            (c.states[i] == 'e' ? Outcome::Verdict::applied : Outcome::Verdict::not_applied));
    }
  }
}

TEST_CASE("a get merges what its replicas hold") {
  const VersionSet old = version(1, 1, "old");
  const VersionSet newer = after(old, 2);
  const VersionSet beside = version(3, 1, "beside");
  GetOperation operation = get(3);
  operation.answered("a", newer);
  operation.answered("b", old);
  operation.answered("c", beside);
  REQUIRE(operation.enough());
  VersionSet expected = newer;
  expected.merge(beside, Conflict::keep_siblings);
  CHECK(operation.merged() == expected);
  CHECK(operation.merged().versions().size() == 2);
}

TEST_CASE("what is refused, repeated or unasked for is not merged") {
  GetOperation operation = get(2);
  operation.refused("a", "damaged");
  operation.answered("a", version(1, 1, "damaged"));
  operation.answered("b", nothing);
  operation.answered("b", version(2, 1, "second thoughts"));
  operation.answered("d", version(3, 1, "no owner"));
  CHECK(operation.merged().empty());
  CHECK(operation.outcome().replicas[1].answer == Answer::not_found);
}

TEST_CASE("last write wins in the merge") {
  GetOperation operation(owners, 2, Conflict::last_write_wins);
  operation.answered("a", version(2, 1, "later"));
  operation.answered("b", version(1, 1, "earlier"));
  REQUIRE(operation.merged().versions().size() == 1);
  CHECK(operation.merged().versions()[0].object == "later");
}

TEST_CASE("a delete is found, and hides nothing that it did not see") {
  GetOperation operation = get(2);
  operation.answered("a", version(1, 1, std::nullopt));
  operation.answered("b", nothing);
  CHECK(operation.outcome().replicas[0].answer == Answer::found);
  CHECK(operation.outcome().replicas[1].answer == Answer::not_found);
  REQUIRE(operation.merged().versions().size() == 1);
}

// A put whose context covers everything, of which only the history is left here.
TEST_CASE("a set without versions is not found, but what it has seen stays seen") {
  const VersionSet old = version(1, 1, "old");
  VersionSet replaced = after(old, 2);
  VersionSet elsewhere;
  elsewhere.put(replaced.history(), {.dot = {{3, 1}, 1}, .object = "x"}, Conflict::keep_siblings);
  GetOperation operation = get(2);
  operation.answered("a", elsewhere);
  operation.answered("b", old);
  REQUIRE(operation.merged().versions().size() == 1);
  CHECK(operation.merged().versions()[0].object == "x");
}

TEST_CASE("at_least waits for an owner that has seen it") {
  const VersionSet old = version(1, 1, "old");
  const VersionSet newer = after(old, 2);
  SECTION("a third answer has") {
    GetOperation operation = get(2, newer.history());
    operation.answered("a", old);
    operation.answered("b", nothing);
    CHECK_FALSE(operation.enough());
    CHECK_FALSE(operation.hopeless());
    operation.answered("c", newer);
    CHECK(operation.enough());
  }
  SECTION("together they have") {
    History both = newer.history();
    both.merge(version(3, 1, "x").history());
    GetOperation operation = get(1, both);
    operation.answered("a", newer);
    CHECK_FALSE(operation.enough());
    operation.answered("b", version(3, 1, "x"));
    CHECK(operation.enough());
  }
  SECTION("nobody has") {
    GetOperation operation = get(1, newer.history());
    operation.answered("a", old);
    operation.answered("b", old);
    CHECK_FALSE(operation.hopeless());
    operation.unreachable("c", "silent for 3.1 s");
    CHECK_FALSE(operation.enough());
    CHECK(operation.hopeless());
    CHECK(operation.failure(absl::StatusCode::kUnavailable, "k", "").message() ==
          "get \"k\": 2 of r=1 replicas answered, but together they have not seen all of at_least "
          "(a: found; b: found; c: unreachable: silent for 3.1 s)");
  }
}

TEST_CASE("a failed get says who answered what") {
  GetOperation operation = get(2);
  operation.answered("a", version(1, 1, "book"));
  operation.refused("b", "damaged: checksum");
  const absl::Status late =
      operation.failure(absl::StatusCode::kDeadlineExceeded, "cart:42", " within 1000 ms");
  CHECK(absl::IsDeadlineExceeded(late));
  CHECK(late.message() ==
        "get \"cart:42\": 1 of r=2 replicas answered within 1000 ms (a: found; b: refused: "
        "damaged: checksum; c: no answer)");
  const auto outcome = dynamo::outcome_of(late);
  REQUIRE(outcome.has_value());
  CHECK(outcome->verdict == Outcome::Verdict::not_applied);
  REQUIRE(outcome->replicas.size() == 3);
  CHECK(outcome->replicas[1].reason == "damaged: checksum");
}

TEST_CASE("owners in reserve are asked one by one, and as long as there are some there is hope") {
  const std::vector<std::string> first = {"a"};
  GetOperation operation(first, 1, Conflict::keep_siblings, {}, {"b", "c"});
  CHECK_FALSE(operation.falls_short());
  operation.answered("b", nothing);  // has not been asked
  CHECK_FALSE(operation.enough());
  operation.refused("a", "damaged");
  CHECK(operation.falls_short());
  CHECK_FALSE(operation.hopeless());
  CHECK(operation.ask_next() == "b");
  CHECK_FALSE(operation.falls_short());
  operation.unreachable("b", "silent for 3.1 s");
  CHECK(operation.ask_next() == "c");
  CHECK_FALSE(operation.has_reserve());
  CHECK(operation.ask_next() == std::nullopt);
  CHECK_FALSE(operation.hopeless());
  operation.answered("c", nothing);
  CHECK(operation.enough());
}

#include "coordinator/put_operation.h"

#include <string>
#include <vector>

#include "catch.hpp"

using namespace dynamo::core;
using dynamo::Outcome;
using dynamo::WriteId;

namespace {

const std::vector<std::string> owners = {"a", "b", "c"};
constexpr WriteId id{1, 2};

// The letter of the owner, then "m" in memory, "s" synced, "x" refused, "u" unreachable, "l" the
// coordinator's own disk was full, "L" its storage failed.
void feed(PutOperation& operation, const std::string& event) {
  const std::string node = event.substr(0, 1);
  switch (event[1]) {
    case 'm':
      return operation.stored(node);
    case 's':
      return operation.synced(node);
    case 'x':
      return operation.refused(node, "buffer full");
    case 'u':
      return operation.unreachable(node, "silent for 3.1 s");
    case 'l':
      return operation.local_failed(node, "disk full", PutOperation::Left::nothing);
    case 'L':
      return operation.local_failed(node, "i/o error", PutOperation::Left::perhaps);
    default:
      FAIL("no such event: " << event);
  }
}

struct Case {
  int w = 0;
  std::vector<std::string> events{};
  // After each event: '.' still writing, 'e' enough, 'h' hopeless.
  std::string states{};
  // After the last: 'n' not applied, 'b' applied below quorum, 'a' applied, '?' unknown.
  char verdict = ' ';
};

Outcome::Verdict verdict_of(char letter) {
  switch (letter) {
    case 'n':
      return Outcome::Verdict::not_applied;
    case 'b':
      return Outcome::Verdict::applied_below_quorum;
    case 'a':
      return Outcome::Verdict::applied;
    default:
      return Outcome::Verdict::unknown;
  }
}

void check(const std::vector<Case>& cases, bool synced) {
  for (const Case& c : cases) {
    PutOperation operation(owners, c.w, synced);
    CHECK_FALSE(operation.enough());
    CHECK_FALSE(operation.hopeless());
    CHECK(operation.outcome(id).verdict == Outcome::Verdict::unknown);  // nobody has answered
    REQUIRE(c.events.size() == c.states.size());
    std::string told = "w=" + std::to_string(c.w);
    for (std::size_t i = 0; i < c.events.size(); ++i) {
      feed(operation, c.events[i]);
      told += " " + c.events[i];
      INFO(told);
      CHECK(operation.enough() == (c.states[i] == 'e'));
      CHECK(operation.hopeless() == (c.states[i] == 'h'));
    }
    INFO(told);
    CHECK(operation.outcome(id).verdict == verdict_of(c.verdict));
    CHECK(operation.outcome(id).id == id);
  }
}

}  // namespace

TEST_CASE("a buffered put counts what is in memory") {
  check(
      {
          {1, {"am"}, "e", 'a'},
          {2, {"am", "bm"}, ".e", 'a'},
          {2, {"am", "bs"}, ".e", 'a'},
          {2, {"am", "as", "am", "bm"}, "...e", 'a'},  // one node counts once
          {2, {"am", "am", "dm", "em"}, "....", 'b'},  // nor does one that was not asked
          {2, {"am", "bx", "cx"}, "..h", 'b'},
          {2, {"am", "bx", "cu"}, "..h", 'b'},
          {2, {"am", "bu", "cu", "bm"}, "..he", 'a'},  // it was sent the write all the same
          {2, {"ax", "bx", "bm"}, ".hh", '?'},         // a refusal is final; c is silent
          {3, {"am", "bm", "cm"}, "..e", 'a'},
          {3, {"ax"}, "h", '?'},
          {1, {"ax", "bx", "cx"}, "..h", 'n'},
          {1, {"ax", "bx", "cu"}, "..h", '?'},
          {1, {"au", "bu", "cu"}, "..h", '?'},
      },
      false);
}

TEST_CASE("a synced put counts what is on stable storage") {
  check(
      {
          {1, {"am"}, ".", 'b'},
          {1, {"am", "as"}, ".e", 'a'},
          {2, {"am", "bs", "as"}, "..e", 'a'},
          {2, {"am", "bm", "cm"}, "...", 'b'},  // all may still sync it
          {2, {"am", "bs", "cs"}, "..e", 'a'},
          {2, {"am", "bs", "bs", "bs"}, "....", 'b'},
          {2, {"am", "bu", "cu"}, "..h", 'b'},
          {2, {"am", "bu", "cu", "as"}, "..hh", 'b'},
          {2, {"am", "bx", "as", "cs"}, "...e", 'a'},
          {3, {"am", "bs", "cu"}, "..h", 'b'},
          {3, {"as", "bs", "cs"}, "..e", 'a'},
      },
      true);
}

TEST_CASE("a coordinator that could not write locally no longer counts itself") {
  for (const bool synced : {false, true}) {
    check(
        {
            {3, {"am", "al"}, ".h", '?'},
            {2, {"am", "al", "bs"}, "...", 'b'},
            {2, {"am", "al", "bs", "cs"}, "...e", 'a'},
            {2, {"am", "al", "bx"}, "..h", '?'},
            {2, {"am", "bx", "cx", "al"}, synced ? "..hh" : "..hh", 'n'},
            {2, {"as", "al", "bs"}, "..e", 'a'},  // it was on disk before
        },
        synced);
  }
}

// A failed sync leaves a page on the disk or does not: the write may come back at the next start,
// so "no replica took it, and none will" would be a lie.
TEST_CASE("after a failed sync nobody knows whether the write is there") {
  check(
      {
          {2, {"am", "bx", "cx", "aL"}, "..hh", '?'},
          {2, {"am", "aL", "bs", "cx"}, "...h", 'b'},
          {2, {"am", "aL", "bs", "cs"}, "...e", 'a'},
      },
      true);
}

TEST_CASE("a failed put names who has it, who has not, and why") {
  PutOperation operation(owners, 2, false);
  operation.stored("b");
  operation.unreachable("c", "connection refused");
  const absl::Status late =
      operation.failure(absl::StatusCode::kDeadlineExceeded, "cart:42", id, " within 1000 ms");
  CHECK(absl::IsDeadlineExceeded(late));
  CHECK(late.message() ==
        "put \"cart:42\": 1 of w=2 replicas stored it within 1000 ms (a: no answer; b: stored; c: "
        "unreachable: connection refused)");

  operation.refused("a", "buffer full");
  const absl::Status failed = operation.failure(absl::StatusCode::kUnavailable, "cart:42", id, "");
  CHECK(absl::IsUnavailable(failed));
  CHECK(failed.message() ==
        "put \"cart:42\": 1 of w=2 replicas stored it (a: refused: buffer full; b: stored; c: "
        "unreachable: connection refused)");
  const auto outcome = dynamo::outcome_of(failed);
  REQUIRE(outcome.has_value());
  CHECK(outcome->verdict == Outcome::Verdict::applied_below_quorum);
  CHECK(outcome->id == id);
  CHECK(outcome->replicas.size() == 3);
}

// "0 of w=2 replicas stored it (a: stored; ...)" would contradict itself.
TEST_CASE("a failed synced put counts what is synced, and says so") {
  PutOperation operation(owners, 2, true);
  operation.stored("a");
  operation.unreachable("b", "silent for 3.1 s");
  operation.unreachable("c", "silent for 3.1 s");
  REQUIRE(operation.hopeless());
  CHECK(operation.failure(absl::StatusCode::kUnavailable, "k", id, "").message() ==
        "put \"k\": 0 of w=2 replicas synced it (a: stored; b: unreachable: silent for 3.1 s; c: "
        "unreachable: silent for 3.1 s)");
  operation.synced("a");
  CHECK(operation.failure(absl::StatusCode::kUnavailable, "k", id, "").message() ==
        "put \"k\": 1 of w=2 replicas synced it (a: synced; b: unreachable: silent for 3.1 s; c: "
        "unreachable: silent for 3.1 s)");
}

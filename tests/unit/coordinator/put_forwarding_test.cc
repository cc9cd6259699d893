#include "coordinator/put_forwarding.h"

#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace dynamo::core;
using namespace std::chrono_literals;
using dynamo::Outcome;
using dynamo::WriteId;

namespace {

constexpr WriteId id{1, 2};
constexpr TimePoint start = 10s;

PutForwarding to_three(TimePoint timeout) {
  return PutForwarding({"b", "c", "a"}, start + timeout);
}

}  // namespace

TEST_CASE("owners are tried in the given order, each once") {
  PutForwarding forwarding = to_three(900ms);
  CHECK_FALSE(forwarding.waiting());
  for (const std::string expected : {"b", "c", "a"}) {
    const auto attempt = forwarding.next(start);
    REQUIRE(attempt.has_value());
    CHECK(attempt->owner == expected);
    CHECK(attempt->first == (expected == "b"));
    CHECK(attempt->give_up == forwarding.give_up());
    CHECK(forwarding.waiting());
  }
  CHECK_FALSE(forwarding.next(start).has_value());
  CHECK_FALSE(forwarding.next(start).has_value());
  CHECK(forwarding.give_up() == forwarding.deadline());
}

TEST_CASE("the time that is left is shared among the owners that are left") {
  PutForwarding forwarding = to_three(900ms);
  CHECK(forwarding.next(start)->give_up == start + 300ms);
  SECTION("each takes its share") {
    CHECK(forwarding.next(start + 300ms)->give_up == start + 600ms);
    CHECK(forwarding.next(start + 600ms)->give_up == start + 900ms);
  }
  SECTION("a quick refusal leaves more for the others") {
    CHECK(forwarding.next(start + 100ms)->give_up == start + 500ms);
    CHECK(forwarding.next(start + 100ms)->give_up == start + 900ms);
  }
  SECTION("a late look at the clock leaves none, but not less") {
    CHECK(forwarding.next(start + 2s)->give_up == start + 2s);
  }
}

TEST_CASE("an owner that is alive may have all the time") {
  PutForwarding forwarding = to_three(900ms);
  forwarding.next(start);
  forwarding.be_patient();
  CHECK(forwarding.give_up() == start + 900ms);
  // Until it says no; then the rest is shared again.
  forwarding.not_taken("b", "not an owner");
  CHECK(forwarding.next(start + 500ms)->give_up == start + 700ms);
}

TEST_CASE("if all owners refuse, nothing was done") {
  PutForwarding forwarding = to_three(900ms);
  for (const std::string owner : {"b", "c", "a"}) {
    REQUIRE(forwarding.next(start).has_value());
    CHECK(forwarding.outcome(id).verdict == Outcome::Verdict::unknown);
    forwarding.not_taken(owner, "buffer full");
    CHECK_FALSE(forwarding.waiting());
    CHECK(forwarding.outcome(id).verdict == Outcome::Verdict::not_applied);
  }
  const absl::Status failed = forwarding.failure(absl::StatusCode::kUnavailable, "cart:42", id, "");
  CHECK(absl::IsUnavailable(failed));
  CHECK(failed.message() ==
        "put \"cart:42\": no owner of the key coordinated it (b: refused: buffer full; c: refused: "
        "buffer full; a: refused: buffer full)");
  const auto outcome = dynamo::outcome_of(failed);
  REQUIRE(outcome.has_value());
  CHECK(outcome->verdict == Outcome::Verdict::not_applied);
  CHECK(outcome->id == id);
}

TEST_CASE("an owner that was silent may have written") {
  PutForwarding forwarding = to_three(900ms);
  forwarding.next(start);
  forwarding.silent("b");
  forwarding.next(start + 300ms);
  forwarding.not_taken("c", "buffer full");
  forwarding.next(start + 300ms);
  forwarding.not_taken("a", "buffer full");
  CHECK_FALSE(forwarding.next(start + 300ms).has_value());
  CHECK(forwarding.waiting());
  const absl::Status late =
      forwarding.failure(absl::StatusCode::kDeadlineExceeded, "k", id, " within 900 ms");
  CHECK(late.message() ==
        "put \"k\": no owner of the key coordinated it within 900 ms (b: no answer: asked to "
        "coordinate; c: refused: buffer full; a: refused: buffer full)");
  CHECK(dynamo::outcome_of(late)->verdict == Outcome::Verdict::unknown);

  SECTION("its late refusal settles it") {
    forwarding.not_taken("b", "not an owner");
    CHECK_FALSE(forwarding.waiting());
    CHECK(forwarding.outcome(id).verdict == Outcome::Verdict::not_applied);
    forwarding.silent("b");  // a refusal is not undone by giving up
    CHECK_FALSE(forwarding.waiting());
    CHECK(forwarding.outcome(id).replicas[0].reason == "not an owner");
  }
}

// Seed 200415: the second owner refused the put, which was then reported as not applied. But the
// first one had only been slow, and coordinated it.
TEST_CASE("a refusal says nothing about an owner that was silent before") {
  using dynamo::Outcome;
  PutForwarding forwarding = to_three(900ms);
  forwarding.next(start);
  forwarding.silent("b");
  forwarding.next(start + 300ms);
  const absl::Status full = absl::ResourceExhaustedError("too many siblings");

  SECTION("so it is not known what became of the put") {
    const absl::Status status =
        forwarding.failed("c", full, {.verdict = Outcome::Verdict::not_applied, .id = id});
    CHECK(status.code() == absl::StatusCode::kResourceExhausted);
    CHECK(status.message() == "too many siblings; it was handed to b before, without an answer");
    const auto outcome = dynamo::outcome_of(status);
    REQUIRE(outcome.has_value());
    CHECK(outcome->verdict == Outcome::Verdict::unknown);
    CHECK(outcome->id == id);
    REQUIRE(outcome->replicas.size() == 1);
    CHECK(outcome->replicas[0].node == "b");
  }
  SECTION("unless that one has refused it too") {
    forwarding.not_taken("b", "not an owner");
    const absl::Status status =
        forwarding.failed("c", full, {.verdict = Outcome::Verdict::not_applied, .id = id});
    CHECK(status.message() == "too many siblings");
    CHECK(dynamo::outcome_of(status)->verdict == Outcome::Verdict::not_applied);
  }
}

// Seed 200415 again: a slow owner was asked twice, refused one of the two, and took the other when
// there was room for another sibling.
TEST_CASE("one refusal of an owner that was asked twice says nothing about the other question") {
  using dynamo::Outcome;
  PutForwarding forwarding = to_three(900ms);
  forwarding.next(start);
  forwarding.ask_again();

  SECTION("nor if it did not coordinate at all") {
    forwarding.not_taken("b", "not an owner");
    CHECK(forwarding.waiting());
    CHECK(forwarding.outcome(id).verdict == Outcome::Verdict::unknown);
    forwarding.not_taken("b", "not an owner");
    CHECK_FALSE(forwarding.waiting());
    CHECK(forwarding.outcome(id).verdict == Outcome::Verdict::not_applied);
  }
  SECTION("nor if it coordinated, and says that nothing was applied") {
    const absl::Status full = absl::ResourceExhaustedError("too many siblings");
    const Outcome refused{.verdict = Outcome::Verdict::not_applied, .id = id};
    const absl::Status status = forwarding.failed("b", full, refused);
    CHECK(dynamo::outcome_of(status)->verdict == Outcome::Verdict::unknown);
    CHECK(dynamo::outcome_of(forwarding.failed("b", full, refused))->verdict ==
          Outcome::Verdict::not_applied);
  }
}

TEST_CASE("what an owner says that was not asked is ignored") {
  PutForwarding forwarding = to_three(900ms);
  forwarding.next(start);
  forwarding.not_taken("c", "not yet asked");
  forwarding.not_taken("d", "no owner");
  forwarding.silent("d");
  CHECK(forwarding.waiting());
  REQUIRE(forwarding.outcome(id).replicas.size() == 1);
  forwarding.next(start);
  CHECK(forwarding.outcome(id).replicas[1].answer == dynamo::ReplicaReport::Answer::no_answer);
}

TEST_CASE("with nobody to try there is nothing to wait for") {
  PutForwarding forwarding({}, start);
  CHECK_FALSE(forwarding.next(start).has_value());
  CHECK_FALSE(forwarding.waiting());
  CHECK(forwarding.outcome(id).verdict == Outcome::Verdict::not_applied);
}

#include "coordinator/outcome.h"

#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"

using namespace dynamo;
using core::quote;
using core::with_outcome;

namespace {

using Answer = ReplicaReport::Answer;
using Role = ReplicaReport::Role;

Outcome sample() {
  return {.verdict = Outcome::Verdict::applied_below_quorum,
          .id = {0x0102030405060708, 9},
          .replicas = {{.node = "b", .answer = Answer::stored},
                       {.node = "c", .answer = Answer::unreachable, .reason = "silent for 3.1 s"},
                       {.node = "d", .role = Role::stand_in, .answer = Answer::synced}}};
}

void check_same(const Outcome& a, const Outcome& b) {
  CHECK(a.verdict == b.verdict);
  CHECK(a.id == b.id);
  REQUIRE(a.replicas.size() == b.replicas.size());
  for (std::size_t i = 0; i < a.replicas.size(); ++i) {
    CHECK(a.replicas[i].node == b.replicas[i].node);
    CHECK(a.replicas[i].role == b.replicas[i].role);
    CHECK(a.replicas[i].answer == b.replicas[i].answer);
    CHECK(a.replicas[i].reason == b.replicas[i].reason);
  }
}

}  // namespace

TEST_CASE("answers and verdicts have names") {
  CHECK(to_string(Answer::stored) == "stored");
  CHECK(to_string(Answer::synced) == "synced");
  CHECK(to_string(Answer::found) == "found");
  CHECK(to_string(Answer::not_found) == "not found");
  CHECK(to_string(Answer::refused) == "refused");
  CHECK(to_string(Answer::unreachable) == "unreachable");
  CHECK(to_string(Answer::no_answer) == "no answer");
  CHECK(to_string(Outcome::Verdict::not_applied) == "not applied");
  CHECK(to_string(Outcome::Verdict::applied_below_quorum) == "applied below quorum");
  CHECK(to_string(Outcome::Verdict::applied) == "applied");
  CHECK(to_string(Outcome::Verdict::unknown) == "unknown");
}

TEST_CASE("an outcome is one clause a replica") {
  CHECK(to_string(Outcome{}).empty());
  CHECK(to_string(sample()) == "b: stored; c: unreachable: silent for 3.1 s; d (stand-in): synced");
}

TEST_CASE("an outcome travels inside a status") {
  const absl::Status status = with_outcome(absl::UnavailableError("put failed"), sample());
  CHECK(absl::IsUnavailable(status));
  CHECK(status.message() == "put failed");
  const auto back = outcome_of(status);
  REQUIRE(back.has_value());
  check_same(*back, sample());
  check_same(*outcome_of(with_outcome(absl::UnavailableError(""), Outcome{})), Outcome{});
}

TEST_CASE("every answer, role and verdict comes back") {
  for (int verdict = 0; verdict < 4; ++verdict) {
    for (int answer = 0; answer < 7; ++answer) {
      for (int role = 0; role < 2; ++role) {
        const Outcome outcome{.verdict = static_cast<Outcome::Verdict>(verdict),
                              .replicas = {{.node = "n",
                                            .role = static_cast<Role>(role),
                                            .answer = static_cast<Answer>(answer)}}};
        const auto back = outcome_of(with_outcome(absl::UnavailableError(""), outcome));
        REQUIRE(back.has_value());
        check_same(*back, outcome);
      }
    }
  }
}

// What a caller learns must not depend on how much an engine has to say.
TEST_CASE("an outcome with long reasons comes back whole") {
  Outcome outcome = sample();
  outcome.replicas[1].reason = std::string(200'000, 'r');
  const auto back = outcome_of(with_outcome(absl::UnavailableError(""), outcome));
  REQUIRE(back.has_value());
  check_same(*back, outcome);
}

TEST_CASE("a status that no replica had a part in has no outcome") {
  CHECK_FALSE(outcome_of(absl::OkStatus()).has_value());
  CHECK_FALSE(outcome_of(absl::InvalidArgumentError("empty key")).has_value());
  CHECK_FALSE(outcome_of(with_outcome(absl::OkStatus(), sample())).has_value());
}

TEST_CASE("keys are quoted so that any terminal shows them") {
  CHECK(quote("") == "\"\"");
  CHECK(quote("cart:42") == "\"cart:42\"");
  CHECK(quote("a\"b\\c\n") == "\"a\\\"b\\\\c\\n\"");
  CHECK(quote(std::string("\0x", 2)) == "\"\\000x\"");
  CHECK(quote("k\xc3\xa4se \xe2\x82\xac \xf0\x9f\x93\x9a") ==
        "\"k\xc3\xa4se \xe2\x82\xac \xf0\x9f\x93\x9a\"");
}

TEST_CASE("long keys are cut after 64 bytes, never inside a character") {
  CHECK(quote(std::string(64, 'k')) == "\"" + std::string(64, 'k') + "\"");
  CHECK(quote(std::string(65, 'k')) == "\"" + std::string(64, 'k') + "\"...");
  CHECK(quote(std::string(63, 'k') + "\xc3\xa4") == "\"" + std::string(63, 'k') + "\"...");
  CHECK(quote(std::string(62, 'k') + "\xc3\xa4" + "z") ==
        "\"" + std::string(62, 'k') + "\xc3\xa4\"...");
}

// Keys are any bytes. Those that are no text must not break the line, log or page that quotes them.
TEST_CASE("bytes that are not UTF-8 are escaped") {
  CHECK(quote("\xff\xfe") == "\"\\377\\376\"");
  CHECK(quote("a\x80") == "\"a\\200\"");                           // a continuation of nothing
  CHECK(quote("\xc3") == "\"\\303\"");                             // cut short
  CHECK(quote("\xc0\xaf") == "\"\\300\\257\"");                    // '/' in a long form
  CHECK(quote("\xed\xa0\x80") == "\"\\355\\240\\200\"");           // half a surrogate pair
  CHECK(quote("\xf5\x80\x80\x80") == "\"\\365\\200\\200\\200\"");  // beyond Unicode
}

#include "coordinator/replica_tally.h"

#include <string>
#include <vector>

#include "catch.hpp"

using dynamo::ReplicaReport;
using dynamo::core::OwnerSides;
using dynamo::core::ReplicaTally;
using Answer = ReplicaReport::Answer;

namespace {

const std::vector<std::string> nodes = {"a", "b", "c"};

constexpr Answer all[] = {Answer::stored,  Answer::synced,      Answer::found,    Answer::not_found,
                          Answer::refused, Answer::unreachable, Answer::no_answer};

}  // namespace

TEST_CASE("a tally begins with everyone asked, in order") {
  const ReplicaTally tally(nodes);
  REQUIRE(tally.reports().size() == 3);
  CHECK(tally.waiting() == 3);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    CHECK(tally.reports()[i].node == nodes[i]);
    CHECK(tally.reports()[i].role == ReplicaReport::Role::primary);
    CHECK(tally.reports()[i].answer == Answer::no_answer);
  }
}

// Which second answer of a node is news: the table of all pairs.
TEST_CASE("only a better answer replaces one") {
  for (const Answer first : all) {
    for (const Answer second : all) {
      if (first == Answer::no_answer || second == Answer::no_answer) continue;
      ReplicaTally tally(nodes);
      CHECK(tally.note("b", first, "first"));
      const bool news = (first == Answer::unreachable && second != Answer::unreachable) ||
                        (first == Answer::stored && second == Answer::synced);
      INFO(to_string(first) << ", then " << to_string(second));
      CHECK(tally.note("b", second, "second") == news);
      CHECK(tally.reports()[1].answer == (news ? second : first));
      CHECK(tally.reports()[1].reason == (news ? "second" : "first"));
      CHECK(tally.count(news ? second : first) == 1);
      CHECK(tally.waiting() == 2);
    }
  }
}

TEST_CASE("a node that was not asked does not count") {
  ReplicaTally tally(nodes);
  CHECK_FALSE(tally.note("d", Answer::synced));
  CHECK_FALSE(tally.note("", Answer::synced));
  tally.retract("d", "never had it");
  CHECK(tally.count(Answer::synced) == 0);
  CHECK(tally.waiting() == 3);
}

TEST_CASE("only what is stored can be retracted") {
  for (const Answer first : all) {
    ReplicaTally tally(nodes);
    if (first != Answer::no_answer) tally.note("a", first);
    tally.retract("a", "disk full");
    INFO(to_string(first));
    const bool retracted = first == Answer::stored;
    CHECK(tally.reports()[0].answer == (retracted ? Answer::refused : first));
    CHECK(tally.reports()[0].reason == (retracted ? "disk full" : ""));
  }
}

// A moving partition: a and b own it on both sides, c until the move ends, d from then on.
TEST_CASE("both sides of a moving partition have to answer") {
  const auto stored = [](const ReplicaReport& report) { return report.answer == Answer::stored; };
  ReplicaTally tally(OwnerSides({"a", "b", "c"}, {"d", "b", "a"}));
  REQUIRE(tally.reports().size() == 4);
  tally.note("c", Answer::stored);
  tally.note("a", Answer::stored);
  CHECK(tally.reached(2, stored) == 1);
  tally.note("d", Answer::stored);
  CHECK(tally.reached(2, stored) == 2);
  CHECK(tally.reached(3, stored) == 2);
  tally.note("b", Answer::stored);
  CHECK(tally.reached(3, stored) == 3);
}

TEST_CASE("a stand-in counts on the sides of its owner") {
  const auto stored = [](const ReplicaReport& report) { return report.answer == Answer::stored; };
  ReplicaTally tally(OwnerSides({"a", "c"}, {"a", "d"}));
  tally.note("a", Answer::stored);
  tally.add_stand_in("e", "c");
  tally.note("e", Answer::stored);
  CHECK(tally.reached(2, stored) == 1);
  tally.add_stand_in("f", "d");
  tally.note("f", Answer::stored);
  CHECK(tally.reached(2, stored) == 2);
}

TEST_CASE("an owner and those who stand in for it count once") {
  const auto synced = [](const ReplicaReport& report) { return report.answer == Answer::synced; };
  ReplicaTally tally(OwnerSides({"a", "b", "c"}));
  tally.note("a", Answer::synced);
  tally.add_stand_in("d", "b");
  tally.add_stand_in("e", "b");
  tally.note("d", Answer::synced);
  CHECK(tally.reached(3, synced) == 2);
  tally.note("e", Answer::synced);
  CHECK(tally.reached(3, synced) == 2);
  tally.note("b", Answer::synced);
  CHECK(tally.reached(3, synced) == 2);
  tally.note("c", Answer::synced);
  CHECK(tally.reached(3, synced) == 3);
}

TEST_CASE("a side with fewer owners than are needed needs all of them") {
  const auto found = [](const ReplicaReport& report) { return report.answer == Answer::found; };
  ReplicaTally tally(OwnerSides({"a"}, {"a", "b", "c"}));
  tally.note("b", Answer::found);
  tally.note("c", Answer::found);
  CHECK(tally.reached(2, found) == 1);
  tally.note("a", Answer::found);
  CHECK(tally.reached(2, found) == 2);
  ReplicaTally small(OwnerSides({"a"}, {"a", "b"}));
  small.note("a", Answer::found);
  small.note("b", Answer::found);
  CHECK(small.reached(3, found) < 3);
}

#include "coordinator/replica_tally.h"

#include <string>
#include <vector>

#include "catch.hpp"

using dynamo::ReplicaReport;
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

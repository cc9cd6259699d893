#include "ring/plan_moves.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "ring/next_view.h"
#include "ring/partition_map.h"
#include "unit/ring/members.h"

namespace dynamo::core {
namespace {

View first_view(int members) { return {.number = 1, .members = lettered_members(members)}; }

View next_view(const View& before, std::vector<Member> members) {
  View after{.number = before.number + 1, .members = std::move(members)};
  after.moves = plan_moves(before, after.members, 32);
  return after;
}

std::set<std::string> owners(const View& view, int partition, int n) {
  const PartitionMap map(view, 32, moves_depth);
  std::set<std::string> names;
  for (const MemberIndex one : map.preference_list(partition, n)) {
    names.insert(map.members()[one].name);
  }
  return names;
}

TEST_CASE("members who stay the same move nothing") {
  const View view = first_view(5);
  CHECK(plan_moves(view, view.members, 32).empty());
  std::vector<Member> weightless = view.members;
  weightless.push_back({.name = "z", .weight = 0});
  CHECK(plan_moves(view, weightless, 32).empty());
}

TEST_CASE("whoever serves goes on to serve, whatever the change of members") {
  const View one = first_view(1);
  const View three = next_view(one, lettered_members(3));
  REQUIRE(three.moves.size() == 32);
  std::vector<Member> four = lettered_members(4);
  four[1].state = MemberState::leaving;
  const View overlapping = next_view(three, four);
  for (int partition = 0; partition < 32; ++partition) {
    CHECK(owners(three, partition, 3) == std::set<std::string>{"a"});
    CHECK(owners(overlapping, partition, 3) == std::set<std::string>{"a"});
  }
  const PartitionMap map(overlapping, 32, 3);
  for (const Move& move : overlapping.moves) {
    CHECK(std::ranges::find(move.to, "b") == move.to.end());
    CHECK(map.pending_owners(move.partition, 3).size() == 3);
  }
}

// What was said of the first, by packets that come late or nodes that missed the view between, must
// not end the second: its new owners have nothing of what was written meanwhile.
TEST_CASE("the same sides at another time are another move") {
  const View four = first_view(4);
  const View five = next_view(four, lettered_members(5));
  std::vector<Member> six = lettered_members(6);
  const View goes_on = next_view(five, six);
  std::vector<Member> back = five.members;
  back[4].state = MemberState::left;
  const View none = next_view(five, back);
  REQUIRE(none.moves.empty());
  std::vector<Member> again = back;
  again.push_back({.identity = {7, 7}, .name = "e"});
  const View second = next_view(none, again);
  REQUIRE(second.moves.size() == five.moves.size());
  for (std::size_t i = 0; i < five.moves.size(); ++i) {
    CHECK(second.moves[i].from == five.moves[i].from);
    CHECK(second.moves[i].to == five.moves[i].to);
    CHECK(five.moves[i].begun == five.number);
    CHECK(second.moves[i].begun == second.number);
    const int partition = five.moves[i].partition;
    const PartitionMap first_ring(five, 32, 3);
    const PartitionMap second_ring(second, 32, 3);
    CHECK(first_ring.move_mark(partition) != second_ring.move_mark(partition));
  }
  for (const Move& move : goes_on.moves) {
    const auto same = std::ranges::find(five.moves, move.partition, &Move::partition);
    const bool is_same = same != five.moves.end() && same->from == move.from && same->to == move.to;
    CHECK(move.begun == (is_same ? five.number : goes_on.number));
  }
}

TEST_CASE("only what changes its owners moves") {
  const View four = first_view(4);
  const View five = next_view(four, lettered_members(5));
  const PartitionMap after({.number = 3, .members = five.members}, 32, moves_depth);
  std::set<int> moving;
  for (const Move& move : five.moves) {
    moving.insert(move.partition);
    CHECK(move.from != move.to);
  }
  for (int partition = 0; partition < 32; ++partition) {
    bool changes = false;
    for (int n = 1; n <= moves_depth; ++n) {
      std::set<std::string> now;
      for (const MemberIndex one : after.preference_list(partition, n)) {
        now.insert(after.members()[one].name);
      }
      changes = changes || now != owners(four, partition, n);
    }
    CHECK(moving.contains(partition) == changes);
  }
}

TEST_CASE("a change that is taken back leaves nothing to move") {
  const View four = first_view(4);
  const View five = next_view(four, lettered_members(5));
  REQUIRE(!five.moves.empty());
  std::vector<Member> back = five.members;
  back[4].state = MemberState::removed;
  CHECK(plan_moves(five, back, 32).empty());
}

TEST_CASE("a move that goes on is the same one, and one with the same names later is not") {
  const View four = first_view(4);
  const View five = next_view(four, lettered_members(5));
  const View six = next_view(five, lettered_members(6));
  std::vector<Member> back = six.members;
  back[5].state = MemberState::left;
  const View again = next_view(six, back);
  REQUIRE(again.moves.size() == five.moves.size());
  std::size_t others = 0;
  for (std::size_t i = 0; i < five.moves.size(); ++i) {
    const Move& before = five.moves[i];
    const Move& after = again.moves[i];
    CHECK(before.begun == 2);
    CHECK(before.from == after.from);
    CHECK(before.to == after.to);
    const bool went_on =
        std::ranges::any_of(six.moves, [&](const Move& move) { return same_move(move, before); });
    CHECK(after.begun == (went_on ? 2 : 4));
    CHECK(same_move(before, after) == went_on);
    others += went_on ? 0 : 1;
    const auto mark = [&](const View& view) {
      return PartitionMap(view, 32, 3).owners_mark(before.partition, 3);
    };
    CHECK((mark(five) == mark(again)) == went_on);
  }
  CHECK(others > 0);
  NextView next(again, 32);
  for (const Move& move : five.moves) {
    CHECK(next.apply({.kind = Change::Kind::finish_move, .move = move}) == absl::OkStatus());
  }
  CHECK(std::move(next).finish().moves.size() == others);
}

TEST_CASE("nobody takes the place of one who is removed before it has what he had") {
  const View four = first_view(4);
  std::vector<Member> members = four.members;
  members[1].state = MemberState::removed;
  const View after = next_view(four, members);
  const PartitionMap map(after, 32, 3);
  for (int partition = 0; partition < 32; ++partition) {
    std::set<std::string> left = owners(four, partition, 3);
    if (left.erase("b") > 0) CHECK(map.is_moving(partition));
    CHECK(owners(after, partition, 3) == left);
    if (map.is_moving(partition)) CHECK(map.pending_owners(partition, 3).size() == 3);
  }
}

TEST_CASE("who is removed is on neither side, and where nobody is left there is no move") {
  const View two = first_view(2);
  std::vector<Member> members = lettered_members(3);
  members[0].state = MemberState::removed;
  const View after = next_view(two, members);
  REQUIRE(after.moves.size() == 32);
  for (const Move& move : after.moves) {
    std::vector<std::string> from = move.from;
    CHECK(std::erase(from, "") == 1);
    CHECK(from == std::vector<std::string>{"b"});
    CHECK(move.to.size() == 2);
  }
  members[1].state = MemberState::removed;
  CHECK(next_view(two, members).moves.empty());
}

// Who was ready for a move is so no more when its disk is lost, and a request to end the move may
// already be on its way.
TEST_CASE("a move begins anew when one that takes part in it has lost its disk") {
  View view{.number = 3, .cluster = {1, 1}, .members = lettered_members(3)};
  for (Member& one : view.members) one.identity = {static_cast<std::uint64_t>(one.name[0]), 1};
  view.moves.push_back(
      {.partition = 1, .begun = 3, .from = {view.members[0].name}, .to = {view.members[2].name}});
  NextView next(view, 8);
  Member replaced = view.members[2];
  replaced.identity.low = 2;
  REQUIRE(next.apply({.kind = Change::Kind::replace, .member = replaced}).ok());
  View after = std::move(next).finish();
  const auto at = std::ranges::find(after.moves, 1, &Move::partition);
  REQUIRE(at != after.moves.end());
  CHECK(at->begun == 4);
  NextView late(after, 8);
  REQUIRE(late.apply({.kind = Change::Kind::finish_move, .move = view.moves[0]}).ok());
  CHECK_FALSE(late.changed());
}

// Its request may have waited for long, and the one in its place may be silent just then.
TEST_CASE("a disk that has been replaced does not take its place back") {
  View view{.number = 3, .cluster = {1, 1}, .members = lettered_members(3)};
  for (Member& one : view.members) one.identity = {static_cast<std::uint64_t>(one.name[0]), 1};
  const Member first = view.members[2];
  Member second = first;
  second.identity.low = 2;
  NextView next(view, 8);
  REQUIRE(next.apply({.kind = Change::Kind::replace, .member = second}).ok());
  const View after = std::move(next).finish();
  for (const Change::Kind kind : {Change::Kind::replace, Change::Kind::join}) {
    NextView again(after, 8);
    CHECK(absl::IsFailedPrecondition(again.apply({.kind = kind, .member = first})));
    CHECK_FALSE(again.changed());
  }
}

}  // namespace
}  // namespace dynamo::core

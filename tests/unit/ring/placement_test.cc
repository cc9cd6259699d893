#include "ring/placement.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "catch.hpp"
#include "unit/ring/members.h"

namespace dynamo::core {
namespace {

std::vector<std::vector<MemberIndex>> as_vectors(const PreferenceLists& lists, int partitions) {
  std::vector<std::vector<MemberIndex>> all;
  for (std::size_t p = 0; p < static_cast<std::size_t>(partitions); ++p) {
    const auto list = lists[p];
    all.emplace_back(list.begin(), list.end());
  }
  return all;
}

auto placed(std::vector<Member> members, int partitions, int depth) {
  return as_vectors(place(members, partitions, depth), partitions);
}

// How often each zone occurs among the first n of a list.
std::map<std::string, int> zone_counts(const std::vector<Member>& members,
                                       const std::vector<MemberIndex>& list, std::size_t n) {
  std::map<std::string, int> counts;
  for (std::size_t i = 0; i < n; ++i) ++counts[members[list[i]].zone];
  return counts;
}

TEST_CASE("the order of the members does not matter") {
  std::vector<Member> members = random_members(9, 5);
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].zone = std::string(1, "xyz"[i % 3]);
    members[i].weight = static_cast<double>(1 + i % 2);
  }
  const auto lists = placed(members, 256, 3);
  Prng prng(1);
  for (int shuffle = 0; shuffle < 10; ++shuffle) {
    for (std::size_t i = members.size(); i > 1; --i)
      std::swap(members[i - 1], members[prng.below(i)]);
    CHECK(placed(members, 256, 3) == lists);
  }
}

TEST_CASE("addresses, identities and the scale of weights do not matter") {
  std::vector<Member> members = numbered_members(5);
  const auto lists = placed(members, 64, 3);
  for (Member& member : members) {
    member.address = "elsewhere:1";
    member.identity = {.high = 1, .low = 2};
    member.weight = 8;
    member.state = MemberState::joining;
  }
  CHECK(placed(members, 64, 3) == lists);
}

TEST_CASE("lists hold distinct members, as many as there are up to twice the depth") {
  for (const int partitions : {8, 64, 1024, 65536}) {
    for (const int count : {1, 2, 3, 5, 8}) {
      CAPTURE(partitions, count);
      const PreferenceLists lists = place(numbered_members(count), partitions, 3);
      REQUIRE(lists.length() == static_cast<std::size_t>(std::min(count, 6)));
      std::size_t repeated = 0;
      std::size_t unknown = 0;
      for (std::size_t p = 0; p < static_cast<std::size_t>(partitions); ++p) {
        std::vector<MemberIndex> list(lists[p].begin(), lists[p].end());
        std::sort(list.begin(), list.end());
        if (std::adjacent_find(list.begin(), list.end()) != list.end()) ++repeated;
        if (list.back() >= static_cast<MemberIndex>(count)) ++unknown;
      }
      CHECK(repeated == 0);
      CHECK(unknown == 0);
    }
  }
}

TEST_CASE("the first n are the same whatever the depth") {
  const std::vector<Member> members = random_members(9, 11);
  const auto deep = placed(members, 128, 5);
  for (const int depth : {1, 2, 3, 4}) {
    CAPTURE(depth);
    const auto lists = placed(members, 128, depth);
    for (std::size_t p = 0; p < lists.size(); ++p) {
      CHECK(std::equal(lists[p].begin(), lists[p].begin() + depth, deep[p].begin()));
    }
  }
}

TEST_CASE("the fourth and fifth owner are balanced too") {
  const auto lists = placed(numbered_members(10), 1024, 5);
  for (const std::size_t n : {4U, 5U}) {
    std::vector<int> loads(10);
    for (const auto& list : lists) {
      for (std::size_t i = 0; i < n; ++i) ++loads[list[i]];
    }
    const auto [low, high] = std::minmax_element(loads.begin(), loads.end());
    const double mean = 102.4 * static_cast<double>(n);
    CHECK(*low >= 0.95 * mean);
    CHECK(*high <= 1.05 * mean);
  }
}

TEST_CASE("members that own nothing are in no list") {
  std::vector<Member> members = numbered_members(7);
  members[0].weight = 0;
  members[1].state = MemberState::leaving;
  members[2].state = MemberState::left;
  members[3].state = MemberState::removed;
  members[4].weight = std::numeric_limits<double>::quiet_NaN();
  const PreferenceLists lists = place(members, 64, 3);
  REQUIRE(lists.length() == 2);
  // Indices count the others nevertheless: they are into all members, sorted by name.
  for (std::size_t p = 0; p < 64; ++p) {
    CHECK(std::min(lists[p][0], lists[p][1]) == 5);
    CHECK(std::max(lists[p][0], lists[p][1]) == 6);
  }
}

TEST_CASE("without members that own there are empty lists") {
  std::vector<Member> members = numbered_members(1);
  members[0].weight = 0;
  CHECK(place(members, 8, 3)[7].empty());
  CHECK(place({}, 8, 3)[0].empty());
}

TEST_CASE("owners are in distinct zones while zones suffice") {
  std::vector<Member> members = numbered_members(9);
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].zone = i < 4 ? "x" : i < 6 ? "y" : i < 8 ? "z" : "w";
  }
  for (const auto& list : placed(members, 256, 3)) {
    CHECK(zone_counts(members, list, 3).size() == 3);
    CHECK(zone_counts(members, list, 4).size() == 4);  // the first stand-in too
  }
}

TEST_CASE("too few zones hold owners as evenly as they can") {
  std::vector<Member> members = numbered_members(7);
  for (std::size_t i = 0; i < members.size(); ++i) members[i].zone = i < 5 ? "x" : "y";
  for (const auto& list : placed(members, 256, 5)) {
    CHECK(zone_counts(members, list, 2) == std::map<std::string, int>{{"x", 1}, {"y", 1}});
    const auto three = zone_counts(members, list, 3);
    CHECK(std::abs(three.at("x") - three.at("y")) == 1);
    CHECK(zone_counts(members, list, 4) == std::map<std::string, int>{{"x", 2}, {"y", 2}});
    CHECK(zone_counts(members, list, 5) == std::map<std::string, int>{{"x", 3}, {"y", 2}});
  }
}

TEST_CASE("members without a zone have one each") {
  std::vector<Member> members = numbered_members(4);
  members[0].zone = "x";
  members[1].zone = "x";
  for (const auto& list : placed(members, 128, 3)) {
    const auto counts = zone_counts(members, list, 3);
    CHECK(counts.at("") == 2);
    CHECK(counts.at("x") == 1);
  }
}

TEST_CASE("extreme weights give a ring") {
  std::vector<Member> members = numbered_members(4);
  members[0].weight = std::numeric_limits<double>::infinity();
  members[1].weight = std::numeric_limits<double>::denorm_min();
  members[2].weight = std::numeric_limits<double>::max();
  CHECK(place(members, 64, 3).length() == 4);
}

// A ring that came out otherwise than it did would move the data of every cluster.
TEST_CASE("the ring is this one, on every compiler and machine") {
  CHECK(placed(lettered_members(4), 8, 2) == std::vector<std::vector<MemberIndex>>{{3, 0, 1, 2},
                                                                                   {2, 3, 0, 1},
                                                                                   {1, 2, 0, 3},
                                                                                   {3, 1, 2, 0},
                                                                                   {0, 1, 3, 2},
                                                                                   {1, 0, 2, 3},
                                                                                   {2, 3, 1, 0},
                                                                                   {0, 2, 3, 1}});
  std::vector<Member> members = numbered_members(15);
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].zone = std::string(1, "vwxyz"[i % 5]);
    members[i].weight = 1 + 0.3 * static_cast<double>(i % 4);
  }
  std::string bytes;
  Encoder out(bytes);
  for (const auto& list : placed(members, 1024, 4)) {
    for (const MemberIndex member : list) out.fixed32(member);
  }
  CHECK(hash64(bytes, 0) == 0x77648148c0de9588);
}

}  // namespace
}  // namespace dynamo::core

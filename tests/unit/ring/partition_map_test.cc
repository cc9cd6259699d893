#include "ring/partition_map.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/ring/members.h"

namespace dynamo::core {
namespace {

std::vector<std::string> names(const PartitionMap& map, std::span<const MemberIndex> list) {
  std::vector<std::string> names;
  for (const MemberIndex member : list) names.push_back(map.members()[member].name);
  return names;
}

TEST_CASE("members are found by name") {
  View view{.number = 7, .members = lettered_members(5)};
  std::reverse(view.members.begin(), view.members.end());
  view.members[0].weight = 0;
  const PartitionMap map(view, 16, 3);
  CHECK(map.view_number() == 7);
  CHECK(map.partitions() == 16);
  CHECK(map.depth() == 3);
  CHECK(map.members().size() == 5);
  CHECK(map.find("a") == MemberIndex{0});
  CHECK(map.find("e") == MemberIndex{4});
  CHECK(map.find("") == std::nullopt);
  CHECK(map.find("bb") == std::nullopt);
  CHECK(map.find("f") == std::nullopt);
}

TEST_CASE("the top bits of a hash are its partition") {
  const View view{.number = 1, .members = lettered_members(1)};
  const PartitionMap eight(view, 8, 1);
  CHECK(eight.partition_of({.high = 0, .low = ~std::uint64_t{0}}) == 0);
  CHECK(eight.partition_of({.high = ~std::uint64_t{0}, .low = 0}) == 7);
  CHECK(eight.partition_of({.high = std::uint64_t{5} << 61, .low = 0}) == 5);
  CHECK(eight.partition_of({.high = (std::uint64_t{5} << 61) - 1, .low = 0}) == 4);
  const PartitionMap most(view, 65536, 1);
  CHECK(most.partition_of({.high = std::uint64_t{0xbeef} << 48, .low = 0}) == 0xbeef);
}

TEST_CASE("stand-ins follow the owners") {
  const PartitionMap map({.number = 1, .members = numbered_members(8)}, 64, 3);
  for (int partition = 0; partition < 64; ++partition) {
    for (int n = 1; n <= 3; ++n) {
      const auto owners = map.preference_list(partition, n);
      const auto stand_ins = map.stand_ins(partition, n);
      CHECK(owners.size() == static_cast<std::size_t>(n));
      CHECK(stand_ins.size() == static_cast<std::size_t>(n));
      for (const MemberIndex member : stand_ins) {
        CHECK(std::find(owners.begin(), owners.end(), member) == owners.end());
      }
    }
    CHECK(map.pending_owners(partition, 3).empty());
    CHECK(!map.is_moving(partition));
  }
}

TEST_CASE("with few members there are few owners and fewer stand-ins") {
  const PartitionMap two({.number = 1, .members = lettered_members(2)}, 8, 3);
  CHECK(two.preference_list(0, 3).size() == 2);
  CHECK(two.stand_ins(0, 3).empty());
  CHECK(two.stand_ins(0, 1).size() == 1);
  const PartitionMap four({.number = 1, .members = lettered_members(4)}, 8, 3);
  CHECK(four.stand_ins(0, 3).size() == 1);
  const PartitionMap none({.number = 1, .members = {}}, 8, 3);
  CHECK(none.preference_list(3, 3).empty());
  CHECK(none.stand_ins(3, 3).empty());
}

TEST_CASE("a moving partition has its current owners and its pending ones") {
  View view{.number = 2, .members = lettered_members(5)};
  view.members[4].state = MemberState::leaving;
  view.moves = {{.partition = 3, .from = {"e", "b", "a"}, .to = {"b", "c", "a"}}};
  const PartitionMap map(view, 8, 3);
  CHECK(map.is_moving(3));
  CHECK(names(map, map.preference_list(3, 3)) == std::vector<std::string>{"e", "b", "a"});
  CHECK(names(map, map.preference_list(3, 2)) == std::vector<std::string>{"e", "b"});
  CHECK(names(map, map.pending_owners(3, 3)) == std::vector<std::string>{"b", "c", "a"});
  CHECK(names(map, map.pending_owners(3, 1)) == std::vector<std::string>{"b"});
  std::vector<std::string> rest = names(map, map.stand_ins(3, 3));
  std::sort(rest.begin(), rest.end());
  CHECK(rest == std::vector<std::string>{"d"});
  for (int other = 0; other < 8; ++other) {
    if (other == 3) continue;
    CHECK(!map.is_moving(other));
    CHECK(map.pending_owners(other, 3).empty());
    const auto owners = names(map, map.preference_list(other, 3));
    CHECK(std::find(owners.begin(), owners.end(), "e") == owners.end());
  }
}

TEST_CASE("owners whose names are the same have the same mark") {
  View view{.number = 2, .members = lettered_members(5)};
  view.moves = {{.partition = 3, .from = {"e", "b", "a"}, .to = {"b", "c", "a"}}};
  const PartitionMap before(view, 8, 3);
  CHECK(before.all_owners(3, 3) == std::vector<MemberIndex>{4, 1, 0, 2});
  view.number = 3;
  CHECK(PartitionMap(view, 8, 4).owners_mark(3, 3) == before.owners_mark(3, 3));
  view.moves[0].to = {"b", "d", "a"};
  const PartitionMap elsewhere(view, 8, 3);
  CHECK(elsewhere.owners_mark(3, 3) != before.owners_mark(3, 3));
  CHECK(elsewhere.owners_mark(3, 1) == before.owners_mark(3, 1));
  view.moves.clear();
  CHECK(PartitionMap(view, 8, 3).owners_mark(3, 3) != before.owners_mark(3, 3));
}

TEST_CASE("whoever has left owns nothing and is nobody") {
  View view{.number = 2, .members = lettered_members(4)};
  view.members[0].state = MemberState::left;
  view.members.push_back({.name = "a"});
  view.members[1].state = MemberState::removed;
  view.moves = {{.partition = 3, .from = {"b", "c"}, .to = {"a", "c", "d"}}};
  const PartitionMap map(view, 8, 3);
  CHECK(map.members().size() == 3);
  CHECK(map.find("a"));
  CHECK(!map.find("b"));
  CHECK(names(map, map.preference_list(3, 3)) == std::vector<std::string>{"c"});
}

TEST_CASE("who is gone leaves an empty place in a move") {
  View view{.number = 2, .members = lettered_members(5)};
  view.members[0].state = MemberState::removed;
  view.moves = {{.partition = 3, .from = {"a", "b", "", "d"}, .to = {"b", "c", "d"}}};
  const PartitionMap map(view, 8, 4);
  CHECK(map.is_moving(3));
  CHECK(map.preference_list(3, 1).empty());
  CHECK(names(map, map.preference_list(3, 3)) == std::vector<std::string>{"b"});
  CHECK(names(map, map.preference_list(3, 4)) == std::vector<std::string>{"b", "d"});
  CHECK(names(map, map.pending_owners(3, 1)) == std::vector<std::string>{"b"});
}

TEST_CASE("what makes no sense in a view is ignored") {
  View view{.number = 2, .members = lettered_members(3)};
  view.members.push_back(view.members[1]);
  view.moves = {{.partition = -1, .from = {"a"}, .to = {"b"}},
                {.partition = 8, .from = {"a"}, .to = {"b"}},
                {.partition = 1, .from = {"nobody"}, .to = {"b"}},
                {.partition = 2, .from = {"a"}, .to = {}},
                {.partition = 5, .from = {"a", "nobody", "a"}, .to = {"b", "b"}}};
  const PartitionMap map(view, 8, 3);
  CHECK(map.members().size() == 3);
  CHECK(!map.is_moving(1));
  CHECK(!map.is_moving(2));
  CHECK(map.preference_list(5, 3).size() == 1);
  CHECK(names(map, map.preference_list(5, 1)) == std::vector<std::string>{"a"});
  CHECK(names(map, map.pending_owners(5, 3)) == std::vector<std::string>{"b"});
}

TEST_CASE("the ring view names the owners") {
  const PartitionMap map({.number = 1, .members = numbered_members(4)}, 32, 3);
  const RingView view = map.ring_view(2);
  CHECK(view.partitions == 32);
  REQUIRE(view.owners.size() == 32);
  for (int partition = 0; partition < 32; ++partition) {
    CHECK(view.owners[static_cast<std::size_t>(partition)] ==
          names(map, map.preference_list(partition, 2)));
  }
}

}  // namespace
}  // namespace dynamo::core

// The figures that placement promises (issue: equal weights, feasible zones, Q = 1024, n = 3), for
// names of several kinds. Ownership is counted in pairs of a partition and a member.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"
#include "ring/placement.h"
#include "unit/ring/members.h"

namespace dynamo::core {
namespace {

constexpr int partitions = 1024;
constexpr int replicas = 3;

// For each partition the names of its first three owners, in order.
using Ring = std::vector<std::vector<std::string>>;

Ring ring_of(std::vector<Member> members) {
  const PreferenceLists lists = place(members, partitions, replicas);
  std::vector<std::string> names;
  for (const Member& member : members) names.push_back(member.name);
  std::sort(names.begin(), names.end());
  Ring ring(partitions);
  for (std::size_t p = 0; p < ring.size(); ++p) {
    const std::size_t n = std::min<std::size_t>(replicas, lists.length());
    for (const MemberIndex owner : lists[p].first(n)) ring[p].push_back(names[owner]);
  }
  return ring;
}

// What each member has of the first n.
std::map<std::string, int> loads(const Ring& ring, std::size_t n) {
  std::map<std::string, int> loads;
  for (const auto& owners : ring) {
    for (std::size_t i = 0; i < std::min(n, owners.size()); ++i) ++loads[owners[i]];
  }
  return loads;
}

// Pairs of the later ring that the earlier one has not.
int moved(const Ring& from, const Ring& to) {
  int moved = 0;
  for (std::size_t p = 0; p < to.size(); ++p) {
    for (const std::string& owner : to[p]) {
      if (std::find(from[p].begin(), from[p].end(), owner) == from[p].end()) ++moved;
    }
  }
  return moved;
}

double balance_promised(int members) { return members <= 15 ? 0.05 : 0.10; }
double movement_promised(int members) { return members <= 15 ? 1.15 : 1.30; }

void check_balance(const Ring& ring, int members) {
  for (int n = 1; n <= replicas; ++n) {
    CAPTURE(n);
    const auto owned = loads(ring, static_cast<std::size_t>(n));
    REQUIRE(owned.size() == static_cast<std::size_t>(members));
    const double mean = static_cast<double>(partitions) * std::min(n, members) / members;
    double worst = 0;
    for (const auto& [name, load] : owned) worst = std::max(worst, std::abs(load / mean - 1));
    CHECK(worst <= balance_promised(members));
  }
}

void check_departure(const Ring& ring, const std::string& name, const Ring& without, int members) {
  CAPTURE(name);
  // With three or fewer nobody can take what the leaver had: the others own everything already.
  const double unavoidable = members <= replicas ? 0 : loads(ring, replicas).at(name);
  CHECK(moved(ring, without) <= movement_promised(members) * unavoidable);
}

void check_growth(const std::vector<Member>& members) {
  Ring ring = ring_of({members.front()});
  for (int count = 1; count <= 30; ++count) {
    CAPTURE(count);
    check_balance(ring, count);
    const auto next = members.begin() + count;
    const Ring grown = ring_of({members.begin(), next + 1});
    const double share = static_cast<double>(partitions) * std::min(replicas, count + 1) /
                         static_cast<double>(count + 1);
    CHECK(moved(ring, grown) <= movement_promised(count) * share);
    check_departure(grown, next->name, ring, count + 1);
    if (count > 1) {
      // The newest is not the only one that can go.
      std::vector<Member> fewer(members.begin(), next);
      const auto leaver = fewer.begin() + count * 2 / 3;
      const std::string name = leaver->name;
      fewer.erase(leaver);
      check_departure(ring, name, ring_of(fewer), count);
    }
    ring = grown;
  }
}

TEST_CASE("loads are balanced and little moves from 1 to 30 numbered members") {
  check_growth(numbered_members(31));
}

TEST_CASE("loads are balanced and little moves from 1 to 30 lettered members") {
  check_growth(lettered_members(31));
}

TEST_CASE("loads are balanced and little moves from 1 to 30 random members") {
  check_growth(random_members(31, 2007));
}

TEST_CASE("loads are balanced and little moves with a zone for each member") {
  std::vector<Member> members = numbered_members(16);
  for (Member& member : members) member.zone = "rack of " + member.name;
  const Ring ring = ring_of({members.begin(), members.end() - 1});
  check_balance(ring, 15);
  const Ring grown = ring_of(members);
  CHECK(moved(ring, grown) <= 1.15 * partitions * replicas / 16);
  check_departure(grown, "node-16", ring, 16);
}

// The newcomer displaces those of its zone more often than others, and they have to win back
// elsewhere what they lose beyond their part.
TEST_CASE("loads are balanced in shared zones, and not much more moves") {
  std::vector<Member> members = numbered_members(16);
  for (std::size_t i = 0; i < members.size(); ++i) members[i].zone = std::string(1, "vwxyz"[i % 5]);
  for (int count = 9; count <= 15; ++count) {
    CAPTURE(count);
    const Ring ring = ring_of({members.begin(), members.begin() + count});
    check_balance(ring, count);
    const Ring grown = ring_of({members.begin(), members.begin() + count + 1});
    CHECK(moved(ring, grown) <= 1.4 * partitions * replicas / (count + 1));
  }
}

// Load efficiency, the mean load over the highest, as in the paper's figure 8; what its strategy 3
// reaches with as many entries, as `./dev bench --strategies` measures it over 200 draws.
TEST_CASE("the busiest of thirty is no busier than under strategy 3 of the paper") {
  const std::map<int, double> strategy_3 = {{256, 0.869},  {512, 0.914},  {1024, 0.939},
                                            {2048, 0.958}, {4096, 0.970}, {8192, 0.979},
                                            {16384, 0.985}};
  for (const auto& [entries, efficiency] : strategy_3) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      CAPTURE(entries, seed);
      const PreferenceLists lists = place(random_members(30, seed), entries, replicas);
      std::vector<int> owned(30);
      for (std::size_t p = 0; p < static_cast<std::size_t>(entries); ++p) {
        for (const MemberIndex owner : lists[p].first(replicas)) ++owned[owner];
      }
      const double mean = static_cast<double>(entries) * replicas / 30;
      CHECK(mean / *std::max_element(owned.begin(), owned.end()) >= efficiency);
    }
  }
}

TEST_CASE("any member can leave fifteen") {
  const std::vector<Member> members = lettered_members(15);
  const Ring ring = ring_of(members);
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::vector<Member> fewer = members;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    check_departure(ring, members[i].name, ring_of(fewer), 15);
  }
}

TEST_CASE("weights of 1:2:4 come out as shares") {
  for (const int count : {9, 12, 15}) {
    CAPTURE(count);
    std::vector<Member> members = numbered_members(count);
    double total = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      members[i].weight = static_cast<double>(1 << (i % 3));
      total += members[i].weight;
    }
    const Ring ring = ring_of(members);
    for (int n = 1; n <= replicas; ++n) {
      CAPTURE(n);
      auto owned = loads(ring, static_cast<std::size_t>(n));
      for (const Member& member : members) {
        const double share = partitions * n * member.weight / total;
        CHECK(std::abs(owned[member.name] - share) <= 0.05 * share);
      }
    }
  }
}

TEST_CASE("a weight beyond what one member can own leaves the rest to the others") {
  std::vector<Member> members = numbered_members(5);
  members[0].weight = 100;
  auto owned = loads(ring_of(members), 3);
  CHECK(owned["node-1"] >= 0.95 * partitions);
  for (std::size_t i = 1; i < members.size(); ++i) {
    CHECK(std::abs(owned[members[i].name] - partitions / 2.0) <= 0.05 * partitions / 2);
  }
  auto first = loads(ring_of(members), 1);
  CHECK(first["node-1"] >= 0.95 * partitions * 100 / 104);
}

TEST_CASE("a zone that can hold no more leaves the rest to the others") {
  // Two small zones take part in every partition; eight members of the third share a copy of each.
  std::vector<Member> members = numbered_members(10);
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].zone = i == 0 ? "small" : i == 1 ? "little" : "large";
  }
  auto owned = loads(ring_of(members), 3);
  CHECK(owned["node-1"] == partitions);
  CHECK(owned["node-2"] == partitions);
  for (std::size_t i = 2; i < members.size(); ++i) {
    CHECK(std::abs(owned[members[i].name] - partitions / 8.0) <= 0.05 * partitions / 8);
  }
}

}  // namespace
}  // namespace dynamo::core

#include "ring/plan_moves.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutant.h"

namespace dynamo::core {
namespace {

using Names = std::vector<std::string>;

std::vector<Member> present(std::span<const Member> members) {
  std::vector<Member> sorted;
  for (const Member& member : members) {
    if (is_present(member)) sorted.push_back(member);
  }
  std::ranges::stable_sort(sorted, {}, &Member::name);
  return sorted;
}

// Whether each store, whatever its n, has the same owners in both.
bool same_owners(const Names& a, const Names& b) {
  std::set<std::string_view> only_one;  // in one of the two prefixes
  const auto toggle = [&](const std::string& name) {
    if (!only_one.erase(name)) only_one.insert(name);
  };
  const std::size_t length = std::min<std::size_t>(moves_depth, std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < length; ++i) {
    if (i < a.size()) toggle(a[i]);
    if (i < b.size()) toggle(b[i]);
    if (!only_one.empty()) return false;
  }
  return true;
}

bool leaves(const std::vector<Member>& members, std::string_view name) {
  const auto at = std::ranges::find(members, name, &Member::name);
  return at != members.end() && at->state == MemberState::leaving;
}

Names names_of(std::span<const MemberIndex> list, const std::vector<Member>& members) {
  Names names;
  for (const MemberIndex member : list) names.push_back(members[member].name);
  return names;
}

}  // namespace

std::vector<Move> plan_moves(const View& before, std::span<const Member> members, int partitions) {
  const std::vector<Member> old_members = present(before.members);
  const std::vector<Member> new_members = present(members);
  const PreferenceLists old_lists = place(old_members, partitions, moves_depth);
  const PreferenceLists new_lists = place(new_members, partitions, moves_depth);
  std::map<int, const Move*> moving;
  for (const Move& move : before.moves) moving.emplace(move.partition, &move);
  std::vector<Move> moves;
  for (int partition = 0; partition < partitions; ++partition) {
    const auto index = static_cast<std::size_t>(partition);
    const auto at = moving.find(partition);
    const bool begins = at == moving.end() || mutated(Mutant::move_starts_over);
    Names from = begins ? names_of(old_lists[index], old_members) : at->second->from;
    std::erase_if(from, [&](const std::string& name) {
      return !std::ranges::binary_search(new_members, name, {}, &Member::name);
    });
    if (mutated(Mutant::move_without_leaver)) {
      std::erase_if(from, [&](const std::string& name) { return leaves(new_members, name); });
    }
    Names to = names_of(new_lists[index], new_members);
    if (from.empty() || to.empty() || same_owners(from, to)) continue;
    const bool goes_on = !begins && at->second->from == from && at->second->to == to;
    moves.push_back({.partition = partition,
                     .begun = goes_on ? at->second->begun : before.number + 1,
                     .from = std::move(from),
                     .to = std::move(to)});
  }
  return moves;
}

}  // namespace dynamo::core

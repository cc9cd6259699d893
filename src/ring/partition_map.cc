#include "ring/partition_map.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "base/check.h"

namespace dynamo::core {
namespace {

// A view is a peer's word: of two members of one name the first one counts.
std::vector<Member> sorted_by_name(std::vector<Member> members) {
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.name < b.name; });
  const auto same = [](const Member& a, const Member& b) { return a.name == b.name; };
  members.erase(std::unique(members.begin(), members.end(), same), members.end());
  return members;
}

int bits_of(int partitions) {
  DYNAMO_CHECK(partitions >= 2);
  DYNAMO_CHECK(partitions <= 65536);
  DYNAMO_CHECK(std::has_single_bit(static_cast<unsigned>(partitions)));
  return std::countr_zero(static_cast<unsigned>(partitions));
}

std::span<const MemberIndex> part(std::span<const MemberIndex> list, int from, int to) {
  const std::size_t begin = std::min(static_cast<std::size_t>(from), list.size());
  const std::size_t end = std::min(static_cast<std::size_t>(to), list.size());
  return list.subspan(begin, end - begin);
}

bool contains(std::span<const MemberIndex> list, MemberIndex member) {
  return std::find(list.begin(), list.end(), member) != list.end();
}

}  // namespace

PartitionMap::PartitionMap(const View& view, int partitions, int depth)
    : view_number_(view.number),
      partitions_(partitions),
      partition_bits_(bits_of(partitions)),
      depth_(depth),
      members_(sorted_by_name(view.members)) {
  DYNAMO_CHECK(depth >= 1);
  placement_ = place(members_, partitions, depth);
  for (const Move& move : view.moves) add(move);
}

void PartitionMap::add(const Move& move) {
  if (move.partition < 0 || move.partition >= partitions_) return;
  Moving moving{.current = indices(move.from), .pending = indices(move.to)};
  if (moving.current.empty() || moving.pending.empty()) return;
  for (const MemberIndex member : placement_[static_cast<std::size_t>(move.partition)]) {
    if (!contains(moving.current, member)) moving.current.push_back(member);
  }
  moves_.insert_or_assign(move.partition, std::move(moving));
}

std::vector<MemberIndex> PartitionMap::indices(std::span<const std::string> names) const {
  std::vector<MemberIndex> indices;
  for (const std::string& name : names) {
    const std::optional<MemberIndex> index = find(name);
    if (index && !contains(indices, *index)) indices.push_back(*index);
  }
  return indices;
}

std::optional<MemberIndex> PartitionMap::find(std::string_view name) const {
  const auto found = std::lower_bound(
      members_.begin(), members_.end(), name,
      [](const Member& member, std::string_view key) { return member.name < key; });
  if (found == members_.end() || found->name != name) return std::nullopt;
  return static_cast<MemberIndex>(found - members_.begin());
}

std::span<const MemberIndex> PartitionMap::whole_list(int partition) const {
  DYNAMO_CHECK(partition >= 0);
  DYNAMO_CHECK(partition < partitions_);
  const auto moving = moves_.find(partition);
  if (moving != moves_.end()) return moving->second.current;
  return placement_[static_cast<std::size_t>(partition)];
}

std::span<const MemberIndex> PartitionMap::preference_list(int partition, int n) const {
  return part(whole_list(partition), 0, n);
}

std::span<const MemberIndex> PartitionMap::pending_owners(int partition, int n) const {
  const auto moving = moves_.find(partition);
  if (moving == moves_.end()) return {};
  return part(moving->second.pending, 0, n);
}

std::span<const MemberIndex> PartitionMap::stand_ins(int partition, int n) const {
  return part(whole_list(partition), n, 2 * n);
}

RingView PartitionMap::ring_view(int n) const {
  RingView view{.partitions = partitions_, .owners = {}};
  for (int partition = 0; partition < partitions_; ++partition) {
    std::vector<std::string> names;
    for (const MemberIndex member : preference_list(partition, n)) {
      names.push_back(members_[member].name);
    }
    view.owners.push_back(std::move(names));
  }
  return view;
}

}  // namespace dynamo::core

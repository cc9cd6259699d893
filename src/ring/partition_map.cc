#include "ring/partition_map.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"

namespace dynamo::core {
namespace {

// A view is a peer's word: of two members of one name the first one counts.
std::vector<Member> sorted_by_name(std::vector<Member> members) {
  std::erase_if(members, [](const Member& member) { return !is_present(member); });
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

PartitionMap::PartitionMap(const View& view, int partitions, int depth, const PartitionMap* before)
    : view_number_(view.number),
      partitions_(partitions),
      partition_bits_(bits_of(partitions)),
      depth_(depth),
      members_(sorted_by_name(view.members)) {
  DYNAMO_CHECK(depth >= 1);
  const bool same = before != nullptr && before->partitions_ == partitions &&
                    before->depth_ == depth && placed_alike(before->members_, members_);
  placement_ = same ? before->placement_
                    : std::make_shared<const PreferenceLists>(place(members_, partitions, depth));
  for (const Member& member : members_) {
    indices_.try_emplace(member.name, static_cast<MemberIndex>(&member - members_.data()));
  }
  for (const Move& move : view.moves) add(move);
}

void PartitionMap::add(const Move& move) {
  if (move.partition < 0 || move.partition >= partitions_) return;
  Moving moving{.begun = move.begun, .current = side(move.from), .pending = side(move.to)};
  if (moving.current.members.empty() || moving.pending.members.empty()) return;
  moves_.insert_or_assign(move.partition, std::move(moving));
}

PartitionMap::Side PartitionMap::side(std::span<const std::string> names) const {
  Side side;
  for (const std::string& name : names) {
    const std::optional<MemberIndex> index = find(name);
    if (index && !contains(side.members, *index)) side.members.push_back(*index);
    side.up_to.push_back(side.members.size());
  }
  return side;
}

std::span<const MemberIndex> PartitionMap::Side::first(int n) const {
  const std::size_t places = std::min(static_cast<std::size_t>(n), up_to.size());
  return std::span(members).first(places == 0 ? 0 : up_to[places - 1]);
}

std::optional<MemberIndex> PartitionMap::find(std::string_view name) const {
  const MemberIndex* index = indices_.find(name);
  return index == nullptr ? std::nullopt : std::optional(*index);
}

std::span<const MemberIndex> PartitionMap::placed(int partition) const {
  DYNAMO_CHECK(partition >= 0);
  DYNAMO_CHECK(partition < partitions_);
  return (*placement_)[static_cast<std::size_t>(partition)];
}

std::span<const MemberIndex> PartitionMap::preference_list(int partition, int n) const {
  const std::span<const MemberIndex> placed = this->placed(partition);
  const auto moving = moves_.find(partition);
  if (moving == moves_.end()) return part(placed, 0, n);
  return moving->second.current.first(n);
}

std::span<const MemberIndex> PartitionMap::pending_owners(int partition, int n) const {
  const auto moving = moves_.find(partition);
  if (moving == moves_.end()) return {};
  return moving->second.pending.first(n);
}

std::vector<MemberIndex> PartitionMap::all_owners(int partition, int n) const {
  const std::span<const MemberIndex> current = preference_list(partition, n);
  std::vector<MemberIndex> owners(current.begin(), current.end());
  for (const MemberIndex member : pending_owners(partition, n)) {
    if (!contains(owners, member)) owners.push_back(member);
  }
  return owners;
}

std::vector<MemberIndex> PartitionMap::stand_ins(int partition, int n) const {
  const std::span<const MemberIndex> placed = this->placed(partition);
  if (!is_moving(partition)) {
    const std::span<const MemberIndex> after = part(placed, n, 2 * n);
    return {after.begin(), after.end()};
  }
  const std::vector<MemberIndex> owners = all_owners(partition, n);
  std::vector<MemberIndex> stand_ins;
  for (const MemberIndex member : placed) {
    if (stand_ins.size() == static_cast<std::size_t>(n)) break;
    if (!contains(owners, member)) stand_ins.push_back(member);
  }
  return stand_ins;
}

std::vector<int> PartitionMap::moving() const {
  std::vector<int> partitions;
  for (const auto& [partition, sides] : moves_) partitions.push_back(partition);
  return partitions;
}

std::uint64_t PartitionMap::mark(std::span<const MemberIndex> current,
                                 std::span<const MemberIndex> pending, std::uint64_t begun) const {
  std::string bytes;
  Encoder out(bytes);
  out.varint(current.size());
  for (const MemberIndex member : current) out.bytes(members_[member].name);
  for (const MemberIndex member : pending) out.bytes(members_[member].name);
  if (!pending.empty()) out.varint(begun);
  return hash64(bytes, 0);
}

std::uint64_t PartitionMap::owners_mark(int partition, int n) const {
  const auto moving = moves_.find(partition);
  return mark(preference_list(partition, n), pending_owners(partition, n),
              moving == moves_.end() ? 0 : moving->second.begun);
}

std::uint64_t PartitionMap::move_mark(int partition) const {
  const auto moving = moves_.find(partition);
  if (moving == moves_.end()) return 0;
  const Moving& move = moving->second;
  return mark(move.current.members, move.pending.members, move.begun);
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

#include "members.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/coding.h"
#include "base/key_hash.h"
#include "node/engine_keys.h"
#include "node/identity.h"
#include "node/node_state.h"
#include "node/record.h"
#include "ring/next_view.h"
#include "ring/placement.h"
#include "testing/sim_world.h"
#include "wire/view_codec.h"

namespace seeds {

namespace core = dynamo::core;
using dynamo::Identity;
using dynamo::Member;
using dynamo::MemberState;
using dynamo::View;
using dynamo::testing::SimCluster;
using dynamo::testing::SimWorld;

namespace {

// Zero if the node has never been started with this disk.
Identity identity_of(SimCluster& cluster, int node) {
  Identity identity;
  dynamo::StorageEngine* engine = cluster.world().storage(node).engine();
  if (engine == nullptr) return identity;
  engine
      ->read(core::identity_key(),
             [&](std::string_view bytes) {
               const absl::StatusOr<core::NodeIdentity> stored = core::decode_identity(bytes);
               if (stored.ok()) identity = stored->identity;
             })
      .status()
      .IgnoreError();
  return identity;
}

const Member* find(const View& view, const Identity& identity) {
  const auto at = std::ranges::find(view.members, identity, &Member::identity);
  return at == view.members.end() ? nullptr : &*at;
}

core::Hash128 digest_of(const View& view) {
  std::string bytes;
  core::Encoder out(bytes);
  core::encode_view(view, out);
  return core::hash128(bytes, 0);
}

}  // namespace

int index_of(const SimCluster& cluster, std::string_view name) {
  for (int node = 0; node < cluster.size(); ++node) {
    if (SimWorld::name_of(node) == name) return node;
  }
  return -1;
}

bool is_gone(SimCluster& cluster, int node) {
  const Identity identity = identity_of(cluster, node);
  if (identity.is_zero()) return false;
  const Member* member = find(cluster.world().latest_view(), identity);
  return member != nullptr && !core::is_present(*member);
}

Members::Members(SimCluster& cluster, Findings& findings, const SeedOptions& options)
    : cluster_(cluster), findings_(findings), options_(options) {}

void Members::start() {
  for (int node = 0; node < cluster_.size(); ++node) {
    View view;
    cluster_.world().host(node).inspect([&](const core::NodeState& state, const auto&) {
      view = state.view;
      hash_seed_ = core::cluster_seed(state.cluster);
    });
    see_view(SimWorld::name_of(node), std::move(view));
  }
}

void Members::see(std::string_view node, const core::Actions& actions) {
  if (views_.empty()) return;
  for (const core::WriteRecord& write : actions.writes) {
    if (!core::is_kind(write.key, core::RecordKind::view) || !write.record) continue;
    const absl::StatusOr<std::string_view> content = core::open_record(*write.record);
    if (!content.ok()) continue;
    core::Decoder in(*content);
    View view = core::decode_view(in);
    if (in.done()) see_view(node, std::move(view));
  }
}

void Members::see_view(std::string_view node, View view) {
  const std::uint64_t number = view.number;
  const core::Hash128 digest = digest_of(view);
  const auto [at, added] = views_.try_emplace(number);
  Known& known = at->second;
  if (added) {
    known.digest = digest;
    known.ring = std::make_shared<const core::PartitionMap>(view, options_.partitions,
                                                            std::max(3, options_.store.quorum.n));
    known.view = std::move(view);
    check_lists(*known.ring);
    if (at != views_.begin()) check_gone(std::prev(at)->second.view, known.view);
    if (at != views_.begin()) count_changes(std::prev(at)->second.view, known.view);
  } else if (known.digest != digest) {
    findings_.fail("C10", fmt::format("{} is in another view {} than others", node, number));
  }
  by_node_[std::string(node)] = known.ring;
}

void Members::check_lists(const core::PartitionMap& ring) {
  std::set<std::string> zones;
  std::size_t owning = 0;
  for (const Member& member : ring.members()) {
    if (!core::owns(member)) continue;
    ++owning;
    zones.insert(member.zone.empty() ? "of " + member.name : member.zone);
  }
  const int most = ring.depth();
  for (int partition = 0; partition < ring.partitions(); ++partition) {
    for (int n = 1; n <= most; ++n) {
      const auto list = ring.is_moving(partition) ? ring.pending_owners(partition, n)
                                                  : ring.preference_list(partition, n);
      std::set<std::string> names;
      std::set<std::string> in_zones;
      for (const core::MemberIndex index : list) {
        const Member& member = ring.members()[index];
        names.insert(member.name);
        in_zones.insert(member.zone.empty() ? "of " + member.name : member.zone);
      }
      const auto wanted = static_cast<std::size_t>(n);
      const bool right = list.size() == std::min(wanted, owning) && names.size() == list.size() &&
                         in_zones.size() == std::min(wanted, zones.size());
      if (right) continue;
      return findings_.fail(
          "C11", fmt::format("view {}: the first {} of partition {} are {} members, {} of them "
                             "distinct, in {} of {} zones; {} members own data",
                             ring.view_number(), n, partition, list.size(), names.size(),
                             in_zones.size(), zones.size(), owning));
    }
  }
}

// Gone is gone.
void Members::check_gone(const View& before, const View& after) {
  for (const Member& member : before.members) {
    if (core::is_present(member)) continue;
    const Member* now = find(after, member.identity);
    if (now != nullptr && now->state == member.state) continue;
    findings_.fail(
        "C10", fmt::format("\"{}\" had gone by view {}, and view {} {}", member.name, before.number,
                           after.number, now == nullptr ? "has forgotten it" : "has it back"));
  }
}

void Members::count_changes(const View& before, const View& after) {
  bool same_members = true;
  for (const Member& member : after.members) {
    const Member* known = find(before, member.identity);
    if (known != nullptr && known->state == member.state) continue;
    findings_.note(-1, [&] {
      return fmt::format("view {}: {} is {}", after.number, member.name,
                         static_cast<int>(member.state));
    });
    same_members = same_members && known != nullptr && core::is_present(member);
    const Member* holder = core::present_member(before, member.name);
    if (known == nullptr && core::is_present(member)) {
      findings_.visit(holder == nullptr ? Visit::joined : Visit::replaced);
    } else if (member.state == MemberState::left) {
      findings_.visit(Visit::left);
    } else if (member.state == MemberState::removed &&
               core::present_member(after, member.name) == nullptr) {
      findings_.visit(Visit::removed);
    }
  }
  if (!same_members) return;
  for (const dynamo::Move& move : before.moves) {
    const bool goes_on = std::ranges::any_of(
        after.moves, [&](const dynamo::Move& one) { return core::same_move(one, move); });
    if (goes_on) continue;
    findings_.visit(Visit::move_finished);
    const Ring& ring = views_.at(after.number).ring;
    const bool waits = move.partition >= ring->partitions() || ring->is_moving(move.partition);
    if (waits || !on_move_end_) continue;
    const int n = options_.store.quorum.n;
    on_move_end_(move.partition, nodes(*ring, ring->preference_list(move.partition, n)));
  }
}

std::vector<int> Members::nodes(const core::PartitionMap& ring,
                                std::span<const core::MemberIndex> members) const {
  std::vector<int> nodes;
  for (const core::MemberIndex index : members) {
    const int node = index_of(cluster_, ring.members()[index].name);
    if (node >= 0) nodes.push_back(node);
  }
  return nodes;
}

core::KeyHash Members::hash_of(std::string_view key) const {
  return core::key_hash(key, hash_seed_);
}

int Members::partition_of(std::string_view key) const {
  return views_.begin()->second.ring->partition_of(hash_of(key));
}

std::vector<int> Members::owners(const Ring& ring, std::string_view key) const {
  const int partition = ring->partition_of(hash_of(key));
  return nodes(*ring, ring->all_owners(partition, options_.store.quorum.n));
}

std::vector<int> Members::current_owners_of(std::string_view key, int node) const {
  const auto at = by_node_.find(SimWorld::name_of(node));
  if (at == by_node_.end()) return {};
  const core::PartitionMap& ring = *at->second;
  const int partition = ring.partition_of(hash_of(key));
  return nodes(ring, ring.preference_list(partition, options_.store.quorum.n));
}

std::vector<int> Members::owners_of(std::string_view key, int node) const {
  const auto at = by_node_.find(SimWorld::name_of(node));
  return at == by_node_.end() ? std::vector<int>() : owners(at->second, key);
}

std::vector<int> Members::latest_owners_of(std::string_view key) const {
  return views_.empty() ? std::vector<int>() : owners(views_.rbegin()->second.ring, key);
}

int Members::fewest_owners() const {
  const core::PartitionMap& ring = *views_.rbegin()->second.ring;
  const int n = options_.store.quorum.n;
  auto fewest = static_cast<std::size_t>(n);
  for (int partition = 0; partition < ring.partitions(); ++partition) {
    fewest = std::min(fewest, ring.preference_list(partition, n).size());
    if (!ring.is_moving(partition)) continue;
    fewest = std::min(fewest, ring.pending_owners(partition, n).size());
  }
  return static_cast<int>(fewest);
}

bool Members::is_in(int node) {
  if (!cluster_.is_up(node)) return false;
  bool has_view = false;
  cluster_.world().host(node).inspect(
      [&](const core::NodeState& state, const auto&) { has_view = state.ring != nullptr; });
  const Member* member = find(cluster_.world().latest_view(), identity_of(cluster_, node));
  return has_view && member != nullptr && core::is_present(*member);
}

std::string Members::unsettled_node(int node) {
  const std::string name = SimWorld::name_of(node);
  const bool gone = is_gone(cluster_, node);
  if (!cluster_.is_up(node)) return gone ? "" : fmt::format("{} is down", name);
  const View& latest = cluster_.world().latest_view();
  std::uint64_t view = 0;
  absl::Status serves;
  cluster_.world().host(node).inspect([&](const core::NodeState& state, const auto&) {
    view = state.view.number;
    serves = state.out_of_service;
  });
  // Without a view it serves nobody, whatever it has been told: a copy of its disk from before its
  // first one asks to be let in, and hears why not.
  if (gone && serves.ok() && view > 0) return fmt::format("{} has gone, and serves", name);
  if (gone) return "";
  if (!serves.ok()) return serves.ToString();
  const Member* member = find(latest, identity_of(cluster_, node));
  if (member == nullptr) return fmt::format("{} is not let in", name);
  if (member->state != MemberState::up) {
    return fmt::format("{} is {}", name,
                       member->state == MemberState::leaving ? "still leaving" : "still joining");
  }
  if (view != latest.number)
    return fmt::format("{} is in view {} of {}", name, view, latest.number);
  for (const dynamo::MemberStatus& other : cluster_.node(node).status().members) {
    if (!other.reachable) return fmt::format("{} does not reach {}", name, other.name);
  }
  return "";
}

std::string Members::describe() {
  std::string text;
  for (int node = 0; node < cluster_.size(); ++node) {
    text += fmt::format("\n  {}:", SimWorld::name_of(node));
    if (!cluster_.is_up(node)) {
      text += " down";
      continue;
    }
    const dynamo::ClusterStatus status = cluster_.node(node).status();
    text += fmt::format(" view {}, {} moves, {} hints", status.view, status.moves, status.hints);
    for (const std::string& note : status.notes) text += "; " + note;
  }
  return text;
}

std::string Members::unsettled() {
  for (int node = 0; node < cluster_.size(); ++node) {
    std::string why = unsettled_node(node);
    if (!why.empty()) return why;
  }
  const View& latest = cluster_.world().latest_view();
  for (const Member& member : latest.members) {
    if (!core::is_present(member)) continue;
    const int node = index_of(cluster_, member.name);
    const bool there = node >= 0 && identity_of(cluster_, node) == member.identity;
    if (!there) return fmt::format("a member \"{}\" that is nowhere", member.name);
  }
  return latest.moves.empty() ? "" : fmt::format("{} partitions are moving", latest.moves.size());
}

}  // namespace seeds

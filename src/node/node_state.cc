#include "node/node_state.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/mutant.h"
#include "node/engine_keys.h"
#include "node/get_answer.h"

namespace dynamo::core {

namespace {

std::vector<std::unique_ptr<Strand>> make_strands(const NodeSettings& settings,
                                                  const NodeIdentity& self) {
  std::vector<std::unique_ptr<Strand>> strands;
  const int count = Strand::count(settings.strands);
  for (int strand = 0; strand < count; ++strand) {
    strands.push_back(std::make_unique<Strand>(strand, count, self, settings.seed));
  }
  return strands;
}

}  // namespace

NodeState::NodeState(NodeIdentity identity, NodeSettings node_settings)
    : settings(std::move(node_settings)),
      self(std::move(identity)),
      detector(settings.strands > 1),
      hints(settings.strands > 1),
      trees(settings.partitions, settings.strands),
      background(settings.background_bytes_per_second, settings.strands > 1),
      strands(make_strands(settings, self)),
      common(*strands.back()),
      outbox(common.outbox) {}

std::vector<std::string> NodeState::names(std::span<const MemberIndex> members) const {
  std::vector<std::string> names;
  names.reserve(members.size());
  for (const MemberIndex member : members) names.push_back(ring->members()[member].name);
  return names;
}

bool NodeState::holds(std::span<const MemberIndex> members, std::string_view name) const {
  return std::ranges::any_of(
      members, [&](const MemberIndex member) { return ring->members()[member].name == name; });
}

const Member* NodeState::member(std::string_view name) const {
  if (ring == nullptr) return nullptr;
  const auto index = ring->find(name);
  return index ? &ring->members()[*index] : nullptr;
}

OwnerSides NodeState::owner_sides(std::string_view key, int n) const {
  const int partition = ring->partition_of(hash(key));
  OwnerSides sides;
  for (const MemberIndex member : ring->preference_list(partition, n)) {
    sides.current.push_back(ring->members()[member].name);
  }
  for (const MemberIndex member : ring->pending_owners(partition, n)) {
    sides.pending.push_back(ring->members()[member].name);
  }
  return sides;
}

std::vector<std::string> NodeState::owners(std::string_view key, int n) const {
  return names(ring->all_owners(ring->partition_of(hash(key)), n));
}

void NodeState::order_by_nearness(NodeNames& nodes, TimePoint now) const {
  using Rank = std::tuple<bool, bool, TimePoint>;
  absl::InlinedVector<Rank, 4> ranks;  // of those that are in their place
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Rank rank{false, false, TimePoint{}};
    if (!is_self(nodes[i])) {
      const FailureDetector::Standing standing = detector.standing(nodes[i], now);
      const bool known = standing.round_trip != TimePoint{};
      rank = {true, !standing.reachable, known ? standing.round_trip : TimePoint::max()};
    }
    // There are few of them.
    ranks.push_back(rank);
    for (std::size_t place = i; place > 0 && rank < ranks[place - 1]; --place) {
      std::swap(ranks[place], ranks[place - 1]);
      nodes[place].swap(nodes[place - 1]);
    }
  }
}

std::vector<std::string> NodeState::stand_ins(std::string_view key, int n) const {
  return names(ring->stand_ins(ring->partition_of(hash(key)), n));
}

std::optional<ReplicaReport::Role> NodeState::role_for(std::string_view key, int n) const {
  const int partition = ring->partition_of(hash(key));
  if (is_owner(self.name, n, partition)) return ReplicaReport::Role::primary;
  if (holds(ring->stand_ins(partition, n), self.name)) return ReplicaReport::Role::stand_in;
  return std::nullopt;
}

Identity NodeState::identity_of(std::string_view name) const {
  if (is_self(name)) return self.identity;
  const PeerTable::Peer* peer = peers.find(name);
  return peer == nullptr ? Identity{} : peer->identity;
}

std::uint64_t NodeState::life_of(std::string_view name) const {
  const PeerTable::Peer* peer = peers.find(name);
  return peer == nullptr ? 0 : peer->boot_random;
}

bool NodeState::owns(std::string_view name, int n, std::uint32_t partition) const {
  if (partition >= static_cast<std::uint32_t>(ring->partitions()) || n > ring->depth()) {
    return false;
  }
  return is_owner(name, n, static_cast<int>(partition));
}

bool NodeState::is_owner(std::string_view name, int n, int partition) const {
  return holds(ring->preference_list(partition, n), name) ||
         holds(ring->pending_owners(partition, n), name);
}

int NodeState::largest_n() const {
  int largest = 3;
  for (const auto& [name, entry] : stores.entries()) largest = std::max(largest, entry.facts.n);
  return largest;
}

void NodeState::make_ring() {
  ring = std::make_shared<const PartitionMap>(view, settings.partitions, largest_n(), ring.get());
}

void NodeState::deepen_ring() {
  if (ring != nullptr && largest_n() > ring->depth()) make_ring();
}

WriteRecord NodeState::store_record(std::string_view name, bool synced) {
  return {.write = next_number(),
          .key = store_key(name),
          .record = encode_store(*stores.find(name)),
          .synced = synced};
}

bool NodeState::is_settled(const StoreFacts& store) const {
  const StoreTable::Entry* entry = stores.find(store.name);
  return entry != nullptr && entry->established && entry->facts == store;
}

std::string_view NodeState::not_rebuilt(std::string_view key) const {
  if (mutated(Mutant::rebuilding_is_absent)) return {};
  if (rebuilding.empty() || !rebuilding.contains(ring->partition_of(hash(key)))) return {};
  return "rebuilding: its disk was lost, and it has not yet got back what it owns";
}

std::string NodeState::not_introduced() const {
  const bool behind = stored_generation.current == 0 && generation.current > 0;
  if (mutated(Mutant::hint_before_introduction) || (!peers.empty() && !behind)) return {};
  return "it has just started for the first time, and has to hear of the others";
}

std::string NodeState::unreachable_reason(std::string_view peer, TimePoint now) const {
  if (detector.reachable(peer)) return {};
  const std::string_view refused = peers.refusal(peer);
  return refused.empty() ? detector.reason(peer, now) : std::string(refused);
}

ContextBody NodeState::context_body(std::string_view store, std::string_view key) const {
  return make_context_body(cluster, settings.context_secrets, store, key);
}

}  // namespace dynamo::core

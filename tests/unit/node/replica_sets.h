#pragma once

#include <map>
#include <string>

#include "node/record.h"
#include "repair/merkle_tree.h"
#include "unit/node/machine_cluster.h"

namespace test {

// What a node has on disk, key by key; "damaged" for what cannot be read.
inline std::map<std::string, dynamo::core::VersionSet> sets_of(MachineCluster::Node& node) {
  std::map<std::string, dynamo::core::VersionSet> sets;
  for (const auto& [key, bytes] : node.engine) {
    if (!dynamo::core::is_kind(key, dynamo::core::RecordKind::object)) continue;
    auto record = dynamo::core::decode_record(bytes);
    if (record.ok()) {
      sets.emplace(record->key, record->replica.set);
    } else {
      sets.emplace("damaged", dynamo::core::VersionSet());
    }
  }
  return sets;
}

// The same keys and sets on all nodes.
inline bool all_equal(MachineCluster& cluster, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (sets_of(cluster.node(name)) != sets_of(cluster.node(names.front()))) return false;
  }
  return true;
}

// The root of every tree that is ready is what the records say, buffered ones included. Returns how
// many were ready.
inline int trees_match(MachineCluster& cluster, const std::string& name, int partitions) {
  using namespace dynamo::core;
  const NodeState& state = cluster.state(name);
  std::map<std::uint32_t, Hash128> roots;
  const int bits = state.trees.partition_bits();
  std::map<std::uint32_t, MerkleTree> trees;
  const auto scanned = cluster.node(name).scan(
      first_key(RecordKind::object), 1'000'000, [&](std::string_view key, std::string_view bytes) {
        const auto at = parse_object_key(key);
        if (!at) return;
        const auto record = decode_record(bytes);
        if (!record.ok()) return;
        const auto partition = static_cast<std::uint32_t>(at->hash.high >> (64 - bits));
        trees.try_emplace(partition, partition, bits)
            .first->second.update(at->hash, {}, state.trees.digest(at->hash, record->replica.set));
      });
  if (!scanned.ok()) return -1;
  int ready = 0;
  for (std::uint32_t partition = 0; partition < static_cast<std::uint32_t>(partitions);
       ++partition) {
    const auto root = state.trees.root(store_place(cluster.store.name), partition);
    if (!root) continue;
    const auto at = trees.find(partition);
    if (*root != (at == trees.end() ? Hash128{} : at->second.root())) return -1;
    ++ready;
  }
  return ready;
}

}  // namespace test

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "node/node_state.h"
#include "node/replica.h"
#include "repair/partition_records.h"

namespace dynamo::core {

// This node's records of one store and partition, during one turn, for an exchange.
//
// Thread safety: one thread at a time.
class StoredPartition final : public PartitionRecords {
 public:
  // REQUIRES: the tree is ready, and stays so: see ready().
  StoredPartition(NodeState& state, Replica& replica, const Turn& turn, const StoreFacts& store,
                  std::uint32_t partition);

  static bool ready(NodeState& state, const StoreFacts& store, std::uint32_t partition);

  const MerkleTree& tree() const override { return *tree_; }
  absl::StatusOr<KeyHash> list(const TreeNode& node, const KeyHash& from, std::size_t limit,
                               std::vector<KeyDigest>& keys) override;
  std::optional<KeyedSet> read(const KeyHash& key) override;
  absl::StatusOr<bool> merge(const KeyedSet& set) override;

  // The writes that merge() has made.
  const std::vector<std::uint64_t>& writes() const { return writes_; }

 private:
  void check_digest(const TreeNode& node, std::span<const KeyDigest> keys);

  NodeState& state_;
  Replica& replica_;
  const Turn& turn_;
  const StoreFacts& store_;
  const std::uint32_t partition_;
  const std::uint64_t place_;  // of the store, in engine keys
  const MerkleTree* tree_;
  std::vector<std::uint64_t> writes_;
  std::size_t listed_bytes_ = 0;  // of records, by all calls of list()
};

}  // namespace dynamo::core

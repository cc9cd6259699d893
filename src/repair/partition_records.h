#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <absl/status/statusor.h>

#include "repair/merkle_tree.h"
#include "wire/exchange_messages.h"

namespace dynamo::core {

// What an exchange needs of this node's records of one store and partition.
//
// Thread safety: one thread at a time.
class PartitionRecords {
 public:
  virtual ~PartitionRecords() = default;
  // Valid until the next merge().
  virtual const MerkleTree& tree() const = 0;
  // Appends the keys under `node`, ascending, from `from` on: `limit` of them at most, and fewer if
  // their records are large. Returns the hash up to which, inclusive, these are all; that is the
  // last of the node's range if nothing is left. REQUIRES: `from` is in that range.
  virtual absl::StatusOr<KeyHash> list(const TreeNode& node, const KeyHash& from, std::size_t limit,
                                       std::vector<KeyDigest>& keys) = 0;
  // Nullopt if the key is absent or its record damaged.
  virtual std::optional<KeyedSet> read(const KeyHash& key) = 0;
  // Merges the set into the record of its key. Returns whether that brought anything new.
  // RESOURCE_EXHAUSTED if this node takes no writes now, INVALID_ARGUMENT if the key does not
  // belong here.
  virtual absl::StatusOr<bool> merge(const KeyedSet& set) = 0;
};

}  // namespace dynamo::core

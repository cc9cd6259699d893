#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "repair/partition_records.h"

namespace test {

// The records of one partition in a map, with their tree.
//
// Thread safety: one thread.
class MemoryRecords final : public dynamo::core::PartitionRecords {
 public:
  static constexpr std::uint64_t seed = 0x7365656473;

  MemoryRecords(std::uint32_t partition, int bits) : tree_(partition, bits) {}

  const dynamo::core::MerkleTree& tree() const override { return tree_; }
  absl::StatusOr<dynamo::core::KeyHash> list(const dynamo::core::TreeNode& node,
                                             const dynamo::core::KeyHash& from, std::size_t limit,
                                             std::vector<dynamo::core::KeyDigest>& keys) override;
  std::optional<dynamo::core::KeyedSet> read(const dynamo::core::KeyHash& key) override;
  absl::StatusOr<bool> merge(const dynamo::core::KeyedSet& set) override;

  // Its hash; of keys of other partitions too.
  static dynamo::core::KeyHash hash(const std::string& key) {
    return dynamo::core::key_hash(key, seed);
  }
  // Another version of the key, under a dot of `actor`.
  void put(const std::string& key, std::uint64_t actor, std::string object);
  void erase(const std::string& key);
  bool same_as(const MemoryRecords& other) const;

  std::map<dynamo::core::KeyHash, dynamo::core::KeyedSet> records{};
  std::size_t list_max = 1'000'000;  // keys in one list(), as if they were large
  absl::Status full{};               // of every merge, if not OK

 private:
  dynamo::core::Hash128 digest(const dynamo::core::KeyHash& key) const;

  dynamo::core::MerkleTree tree_;
};

// What an exchange took.
struct Traffic {
  int requests = 0;
  std::size_t bytes = 0;          // of messages both ways
  std::size_t largest_bytes = 0;  // of one message
  absl::Status status{};
  std::size_t differences = 0;
  bool received = false;
};

// Runs one exchange to its end; each message goes through its bytes.
Traffic run_exchange(MemoryRecords& asking, MemoryRecords& asked);

}  // namespace test

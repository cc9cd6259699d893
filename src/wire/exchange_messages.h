#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/key_hash.h"
#include "causality/version_set.h"
#include "wire/store_facts.h"

// What two owners of a partition say to each other when they compare what they hold (paper, 4.7).
// The one that asks leads: first the Merkle trees from the root down, then the keys under what
// differs, then the sets of the keys that differ, both ways. The other keeps no state.
namespace dynamo::core {

// Bounds of one message, so that each is far below a packet.
inline constexpr std::size_t exchange_nodes_max = 256;
inline constexpr std::size_t exchange_keys_max = 4096;
// Sets are gathered up to this; one set that is larger travels alone.
inline constexpr std::size_t exchange_page_bytes = std::size_t{256} << 10;
// Of how digests are made and trees are shaped; nodes of different formats do not compare.
inline constexpr std::uint8_t tree_format = 1;
inline constexpr int tree_fanout = 16;
inline constexpr int tree_levels_max = 8;

// A subtree of a partition's tree: the keys whose hashes go on, behind the partition's bits, with
// the 4 * depth bits of `index`. Depth 0 is the whole partition.
struct TreeNode {
  std::uint8_t depth = 0;
  std::uint64_t index = 0;
  friend bool operator==(const TreeNode&, const TreeNode&) = default;
};
struct NodeDigest {
  TreeNode node{};
  Hash128 digest{};
  friend bool operator==(const NodeDigest&, const NodeDigest&) = default;
};
struct NodeChildren {
  TreeNode node{};
  std::array<Hash128, tree_fanout> digests{};  // zero: nothing there
  friend bool operator==(const NodeChildren&, const NodeChildren&) = default;
};
struct KeyDigest {
  KeyHash key{};
  Hash128 digest{};
  friend bool operator==(const KeyDigest&, const KeyDigest&) = default;
};
struct KeyedSet {
  std::string key{};
  std::uint64_t generation = 0;
  VersionSet set{};
  friend bool operator==(const KeyedSet&, const KeyedSet&) = default;
};

// What is compared. Two nodes compare only if they mean the same by it (traps G2, G4).
struct ExchangeScope {
  StoreFacts store{};
  std::uint32_t partition = 0;
  std::uint64_t owners = 0;      // PartitionMap::owners_mark()
  std::uint64_t generation = 0;  // sealed: one has dropped what the other may still hold
  std::uint8_t format = tree_format;
  friend bool operator==(const ExchangeScope&, const ExchangeScope&) = default;
};

// not_ready: the tree is being built, ask again later.
enum class ExchangeAnswer : std::uint8_t { ok, not_ready, refused };

// "These are my digests of these subtrees; what are your children of those that differ?"
struct TreeRequest {
  std::uint64_t operation = 0;
  ExchangeScope scope{};
  std::vector<NodeDigest> nodes{};
  friend bool operator==(const TreeRequest&, const TreeRequest&) = default;
};
struct TreeReply {
  std::uint64_t operation = 0;
  ExchangeAnswer answer = ExchangeAnswer::refused;
  std::string reason{};
  std::vector<NodeChildren> differing{};
  friend bool operator==(const TreeReply&, const TreeReply&) = default;
};

// "Which keys do you hold in these subtrees, from `from` on?" The subtrees ascend.
struct LeafRequest {
  std::uint64_t operation = 0;
  ExchangeScope scope{};
  std::vector<TreeNode> nodes{};
  KeyHash from{};
  friend bool operator==(const LeafRequest&, const LeafRequest&) = default;
};
struct LeafReply {
  std::uint64_t operation = 0;
  ExchangeAnswer answer = ExchangeAnswer::refused;
  std::string reason{};
  std::vector<KeyDigest> keys{};  // ascending
  KeyHash complete_to{};          // up to here, inclusive, these are all
  friend bool operator==(const LeafReply&, const LeafReply&) = default;
};

// "Merge these sets into yours, and show me your sets of these keys."
struct SetsRequest {
  std::uint64_t operation = 0;
  ExchangeScope scope{};
  std::vector<KeyedSet> sets{};
  std::vector<KeyHash> wanted{};
  friend bool operator==(const SetsRequest&, const SetsRequest&) = default;
};
// Comes once what was to be merged is on stable storage.
struct SetsReply {
  std::uint64_t operation = 0;
  ExchangeAnswer answer = ExchangeAnswer::refused;
  std::string reason{};
  std::uint64_t served = 0;  // how many of `wanted`, from the first on, have been dealt with
  std::vector<KeyedSet> sets{};
  friend bool operator==(const SetsReply&, const SetsReply&) = default;
};

// "Compare every partition whose first owner you are with its other owners, from now on, and tell
// me when that is done, and how many hints you still keep." Asked again until all is done.
struct ConvergeRequest {
  std::uint64_t operation = 0;
  std::uint64_t timeout_us = 0;
  friend bool operator==(const ConvergeRequest&, const ConvergeRequest&) = default;
};
struct ConvergeReply {
  std::uint64_t operation = 0;
  std::uint64_t left = 0;   // partitions; 0: done
  std::uint64_t hints = 0;  // kept for others, if some were there when the question came; else 0
  std::string reason{};     // what is in the way
  friend bool operator==(const ConvergeReply&, const ConvergeReply&) = default;
};

}  // namespace dynamo::core

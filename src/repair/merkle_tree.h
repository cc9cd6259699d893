#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/hash.h"
#include "base/key_hash.h"
#include "causality/usual_set.h"
#include "causality/version_set.h"
#include "wire/exchange_messages.h"

namespace dynamo::core {

// What a key and its version set add to a tree: a keyed hash of the key's place and of what was
// ever seen and is still there, in canonical form. Objects are not hashed: equal dots are equal
// objects, and damage to them is the record checksum's to find (traps G2, G8). Zero for a set that
// has seen nothing, as for a key that is absent, and for nothing else.
Hash128 set_digest(const VersionSet& set, const KeyHash& key, std::uint64_t seed);
Hash128 set_digest(const UsualSet& set, const KeyHash& key, std::uint64_t seed);

// How many levels a tree has, so that a ring of any number of partitions has 131,072 to 1,048,576
// leaves in all. They are the smallest that fit in a processor's cache, which a write finds a leaf
// in or waits for; with ten million keys a leaf holds ten to eighty, whose digests are less than a
// page when two owners differ there.
int tree_levels(int partition_bits);

// The hashes of the keys under a node, first and last.
struct HashRange {
  KeyHash first{};
  KeyHash last{};
};
HashRange range_of(const TreeNode& node, std::uint32_t partition, int partition_bits);

// The least hash above `key`; the greatest hash stays as it is.
KeyHash after(const KeyHash& key);

// The Merkle tree of one partition of one store (paper, 4.7), kept up to date by every write.
//
// A node's digest is the sum, modulo 2^128, of the digests of all keys below it. A sum knows no
// order and takes things out as it puts them in, so equal data gives equal trees however it came
// about (trap G7), a write costs one addition per level, and nothing is ever rebuilt because of it.
// Digests are 128-bit hashes under the cluster's own seed: two different sets of keys have one sum
// by chance once in 2^128 comparisons, and unlike with exclusive or, what is counted twice does not
// vanish (trap G3).
//
// Leaves that never held anything take no memory: 16 bytes for each leaf, in blocks of 16, and a
// sixteenth of that for the levels above.
//
// Thread safety: one thread at a time.
class MerkleTree {
 public:
  // REQUIRES: 1 <= partition_bits <= 16.
  MerkleTree(std::uint32_t partition, int partition_bits);

  // The key's digest was `before` and is `now`; zero: absent. REQUIRES: a key of the partition.
  void update(const KeyHash& key, const Hash128& before, const Hash128& now);

  // Brings what update() of a key needs near the processor, a level with each step: what one needs
  // is on its way while others take theirs.
  class Descent {
   public:
    Descent(const MerkleTree& tree, const KeyHash& key);
    // False at the end.
    bool step();

   private:
    void prefetch() const;

    const MerkleTree* tree_;
    KeyHash key_;
    int depth_ = 0;
    std::uint32_t at_ = 0;  // of the blocks of that depth
    bool ended_ = false;
  };

  const Hash128& root() const { return root_; }
  int levels() const { return levels_; }
  bool has(const TreeNode& node) const;  // a node of this shape
  // REQUIRES: has(node); of children(), that it is no leaf.
  Hash128 digest(const TreeNode& node) const;
  std::array<Hash128, tree_fanout> children(const TreeNode& node) const;
  HashRange range(const TreeNode& node) const { return range_of(node, partition_, bits_); }
  std::size_t bytes() const;

 private:
  using Digests = std::array<Hash128, tree_fanout>;
  struct Inner {
    Digests digests{};
    std::array<std::uint32_t, tree_fanout> below{};  // index of the child's block plus 1; 0: none
  };

  std::uint64_t nibble(const KeyHash& key, int depth) const;
  // The children's digests of a node, or null if nothing was ever there.
  const Digests* block(const TreeNode& node) const;

  std::uint32_t partition_;
  int bits_;
  int levels_;
  Hash128 root_{};
  std::vector<Inner> inner_;     // children of the nodes above the last level; [0]: of the root
  std::vector<Digests> leaves_;  // children of the nodes of the last level but one
};

}  // namespace dynamo::core

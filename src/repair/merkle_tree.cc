#include "repair/merkle_tree.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/spare_buffers.h"

namespace dynamo::core {

namespace {

constexpr int leaf_bits = 20;    // of all partitions together, at most
constexpr int bits_a_level = 4;  // fanout 16

Hash128 sum(const Hash128& a, const Hash128& b) {
  const std::uint64_t low = a.low + b.low;
  return {a.high + b.high + (low < a.low ? 1 : 0), low};
}

Hash128 difference(const Hash128& a, const Hash128& b) {
  return {a.high - b.high - (a.low < b.low ? 1 : 0), a.low - b.low};
}

Hash128 digest_of(std::string_view set, std::uint64_t seed) {
  const Hash128 hash = hash128(set, seed);
  return hash == Hash128{} ? Hash128{0, 1} : hash;
}

}  // namespace

Hash128 set_digest(const VersionSet& set, const KeyHash& key, std::uint64_t seed) {
  if (set.empty()) return {};
  const std::size_t usual = 32 + 32 * (set.history().size() + set.versions().size());
  std::string bytes = SpareBuffers::take(usual);
  bytes.reserve(usual);
  Encoder out(bytes);
  out.fixed64(key.high);
  out.fixed64(key.low);
  set.history().encode(out);
  for (const StoredVersion& version : set.versions()) {
    out.fixed64(version.dot.actor.boot);
    out.varint(version.dot.actor.sequence);
    out.varint(version.dot.counter);
  }
  const Hash128 digest = digest_of(bytes, seed);
  SpareBuffers::give(std::move(bytes));
  return digest;
}

// Of the same bytes.
Hash128 set_digest(const UsualSet& set, const KeyHash& key, std::uint64_t seed) {
  if (set.empty()) return {};
  std::array<char, 2 * sizeof(std::uint64_t) + UsualSet::bytes_max> bytes;
  std::size_t size = 0;
  for (std::uint64_t part : {key.high, key.low}) {
    for (std::size_t i = 0; i < sizeof(part); ++i, part >>= 8) {
      bytes[size++] = static_cast<char>(part);
    }
  }
  for (const std::string_view part : {set.history(), set.dot()}) {
    size += part.copy(bytes.data() + size, part.size());
  }
  return digest_of({bytes.data(), size}, seed);
}

int tree_levels(int partition_bits) {
  return std::max(1, (leaf_bits - partition_bits) / bits_a_level);
}

HashRange range_of(const TreeNode& node, std::uint32_t partition, int partition_bits) {
  const int free_bits = 64 - partition_bits - bits_a_level * node.depth;
  const std::uint64_t path = (std::uint64_t{partition} << (bits_a_level * node.depth)) | node.index;
  const std::uint64_t first = path << free_bits;
  constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
  return {{first, 0}, {first | (all >> (64 - free_bits)), all}};
}

KeyHash after(const KeyHash& key) {
  constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
  if (key.low < all) return {key.high, key.low + 1};
  return key.high < all ? KeyHash{key.high + 1, 0} : key;
}

MerkleTree::MerkleTree(std::uint32_t partition, int partition_bits)
    : partition_(partition), bits_(partition_bits), levels_(tree_levels(partition_bits)) {
  DYNAMO_CHECK(partition_bits >= 1 && partition_bits <= 16);
}

std::uint64_t MerkleTree::nibble(const KeyHash& key, int depth) const {
  return key.high >> (64 - bits_ - bits_a_level * (depth + 1)) & (tree_fanout - 1);
}

void MerkleTree::update(const KeyHash& key, const Hash128& before, const Hash128& now) {
  DYNAMO_CHECK(key.high >> (64 - bits_) == partition_);
  if (before == now) return;
  const Hash128 change = difference(now, before);
  root_ = sum(root_, change);
  // Blocks by index: a new one may move the others.
  std::uint32_t at = 0;
  if (levels_ > 1 && inner_.empty()) inner_.emplace_back();
  if (levels_ == 1 && leaves_.empty()) leaves_.emplace_back();
  for (int depth = 0; depth + 1 < levels_; ++depth) {
    const std::size_t child = nibble(key, depth);
    inner_[at].digests[child] = sum(inner_[at].digests[child], change);
    std::uint32_t below = inner_[at].below[child];
    if (below == 0) {
      const bool last = depth + 2 == levels_;
      if (last) {
        leaves_.emplace_back();
      } else {
        inner_.emplace_back();
      }
      below = static_cast<std::uint32_t>(last ? leaves_.size() : inner_.size());
      inner_[at].below[child] = below;
    }
    at = below - 1;
  }
  Hash128& leaf = leaves_[at][nibble(key, levels_ - 1)];
  leaf = sum(leaf, change);
}

MerkleTree::Descent::Descent(const MerkleTree& tree, const KeyHash& key)
    : tree_(&tree), key_(key), ended_(tree.levels_ == 1 || tree.inner_.empty()) {
  if (!ended_) prefetch();
}

bool MerkleTree::Descent::step() {
  if (ended_) return false;
  const std::uint32_t below = tree_->inner_[at_].below[tree_->nibble(key_, depth_)];
  at_ = below - 1;
  ++depth_;
  ended_ = below == 0 || depth_ + 1 == tree_->levels_;
  if (below != 0) prefetch();
  return !ended_;
}

void MerkleTree::Descent::prefetch() const {
  const std::size_t child = tree_->nibble(key_, depth_);
  if (depth_ + 1 == tree_->levels_) return __builtin_prefetch(&tree_->leaves_[at_][child], 1);
  const Inner& inner = tree_->inner_[at_];
  __builtin_prefetch(&inner.digests[child], 1);
  __builtin_prefetch(&inner.below[child], 1);
}

bool MerkleTree::has(const TreeNode& node) const {
  return node.depth <= levels_ && node.index >> (bits_a_level * node.depth) == 0;
}

const MerkleTree::Digests* MerkleTree::block(const TreeNode& node) const {
  DYNAMO_CHECK(has(node) && node.depth < levels_);
  if (levels_ == 1) return leaves_.empty() ? nullptr : &leaves_.front();
  if (inner_.empty()) return nullptr;
  std::uint32_t at = 0;
  for (int depth = 0; depth < node.depth; ++depth) {
    const int shift = bits_a_level * (node.depth - depth - 1);
    const std::uint32_t below = inner_[at].below[node.index >> shift & (tree_fanout - 1)];
    if (below == 0) return nullptr;
    at = below - 1;
  }
  return node.depth + 1 == levels_ ? &leaves_[at] : &inner_[at].digests;
}

Hash128 MerkleTree::digest(const TreeNode& node) const {
  if (node.depth == 0) return root_;
  const TreeNode parent{static_cast<std::uint8_t>(node.depth - 1), node.index >> bits_a_level};
  const Digests* digests = block(parent);
  return digests == nullptr ? Hash128{} : (*digests)[node.index & (tree_fanout - 1)];
}

std::array<Hash128, tree_fanout> MerkleTree::children(const TreeNode& node) const {
  const Digests* digests = block(node);
  return digests == nullptr ? Digests{} : *digests;
}

std::size_t MerkleTree::bytes() const {
  return sizeof(*this) + inner_.capacity() * sizeof(Inner) + leaves_.capacity() * sizeof(Digests);
}

}  // namespace dynamo::core

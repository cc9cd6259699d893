#include "repair/merkle_tree.h"
#include "causality/encoded_set.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/prng.h"
#include "catch.hpp"
#include "causality/encoded_set.h"
#include "causality/usual_set.h"
#include "unit/repair/memory_records.h"

using namespace dynamo::core;

namespace {

constexpr std::uint64_t tree_seed = 42;

VersionSet set_of(std::uint64_t actor, std::uint64_t counter) {
  VersionSet set;
  set.put({}, {.dot = {{actor, 1}, counter}, .object = "x"}, Conflict::keep_siblings);
  return set;
}

KeyHash in_partition(Prng& prng, std::uint32_t partition, int bits) {
  const std::uint64_t top = std::uint64_t{partition} << (64 - bits);
  return {top | (prng.next() >> bits), prng.next()};
}

// Every digest of the tree, from the root down.
std::vector<Hash128> all_digests(const MerkleTree& tree) {
  std::vector<Hash128> digests{tree.root()};
  std::vector<TreeNode> level{{}};
  for (int depth = 0; depth < std::min(tree.levels(), 3); ++depth) {
    std::vector<TreeNode> below;
    for (const TreeNode& node : level) {
      const auto children = tree.children(node);
      for (std::size_t i = 0; i < children.size(); ++i) {
        const TreeNode child{static_cast<std::uint8_t>(depth + 1), node.index * tree_fanout + i};
        digests.push_back(children[i]);
        REQUIRE(tree.digest(child) == children[i]);
        below.push_back(child);
      }
    }
    level = std::move(below);
  }
  return digests;
}

}  // namespace

TEST_CASE("merkle tree: any order of writes and deletions gives the same tree") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    const int bits = 1 + static_cast<int>(prng.below(16));
    const auto partition = static_cast<std::uint32_t>(prng.below(std::uint64_t{1} << bits));
    struct Step {
      KeyHash key;
      Hash128 before, now;
    };
    // Each key is written one to three times, and some are erased in the end.
    std::vector<std::vector<Step>> histories;
    MerkleTree expected(partition, bits);
    for (int i = 0; i < 60; ++i) {
      const KeyHash key = in_partition(prng, partition, bits);
      std::vector<Step>& steps = histories.emplace_back();
      Hash128 last;
      for (std::uint64_t write = 1 + prng.below(3); write > 0; --write) {
        const Hash128 now = set_digest(set_of(prng.below(3), write), key, tree_seed);
        steps.push_back({key, last, now});
        last = now;
      }
      if (prng.chance(0.3)) {
        steps.push_back({key, last, {}});
        last = {};
      }
      expected.update(key, {}, last);
    }
    // The writes of one key keep their order, the keys are shuffled among each other.
    MerkleTree tree(partition, bits);
    while (!histories.empty()) {
      const std::size_t pick = prng.below(histories.size());
      const Step step = histories[pick].front();
      tree.update(step.key, step.before, step.now);
      histories[pick].erase(histories[pick].begin());
      if (histories[pick].empty()) {
        histories.erase(histories.begin() + static_cast<std::ptrdiff_t>(pick));
      }
    }
    CHECK(all_digests(tree) == all_digests(expected));
  }
}

TEST_CASE("merkle tree: what was put in can be taken out again, to the last bit") {
  Prng prng(7);
  MerkleTree tree(3, 4);
  std::vector<std::pair<KeyHash, Hash128>> keys;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    const KeyHash key = in_partition(prng, 3, 4);
    keys.emplace_back(key, set_digest(set_of(1, i), key, tree_seed));
    tree.update(key, {}, keys.back().second);
  }
  CHECK(tree.root() != Hash128{});
  std::ranges::reverse(keys);
  for (const auto& [key, digest] : keys) tree.update(key, digest, {});
  for (const Hash128& digest : all_digests(tree)) CHECK(digest == Hash128{});
}

TEST_CASE("merkle tree: two of a kind do not cancel each other") {
  // With exclusive or they would (trap G3).
  MerkleTree tree(0, 4);
  tree.update({1, 1}, {}, {5, 5});
  tree.update({1, 2}, {}, {5, 5});
  CHECK(tree.root() == Hash128{10, 10});
  tree.update({1, 3}, {}, {0, ~std::uint64_t{0} - 9});  // carries into the high half
  CHECK(tree.root() == Hash128{11, 0});
}

TEST_CASE(
    "merkle tree: a key lies in the range of every node above it, and a range in its parent") {
  Prng prng(1);
  for (int bits = 1; bits <= 16; ++bits) {
    const auto partition = static_cast<std::uint32_t>(prng.below(std::uint64_t{1} << bits));
    MerkleTree tree(partition, bits);
    const KeyHash key = in_partition(prng, partition, bits);
    tree.update(key, {}, {1, 2});
    CAPTURE(bits, tree.levels());
    CHECK(tree.levels() == tree_levels(bits));
    TreeNode node{};
    while (true) {
      const HashRange range = tree.range(node);
      CHECK((range.first <= key && key <= range.last));
      CHECK(tree.digest(node) == Hash128{1, 2});
      if (node.depth == tree.levels()) break;
      const auto children = tree.children(node);
      CHECK(std::ranges::count(children, Hash128{}) == tree_fanout - 1);
      const auto child =
          static_cast<std::uint64_t>(std::ranges::find(children, Hash128{1, 2}) - children.begin());
      const TreeNode first{static_cast<std::uint8_t>(node.depth + 1), node.index * tree_fanout};
      const TreeNode last{first.depth, first.index + tree_fanout - 1};
      CHECK(tree.range(first).first == range.first);
      CHECK(tree.range(last).last == range.last);
      node = {first.depth, first.index + child};
    }
    CHECK_FALSE(tree.has({static_cast<std::uint8_t>(tree.levels() + 1), 0}));
    CHECK_FALSE(tree.has({1, tree_fanout}));
  }
}

TEST_CASE(
    "set digest: what was seen and is there counts, key and seed too; objects and actors do not") {
  const KeyHash key{1, 2};
  VersionSet book = set_of(1, 1);
  VersionSet pen;
  pen.put({}, {.dot = {{1, 1}, 1}, .object = "pen"}, Conflict::keep_siblings);
  CHECK(set_digest(VersionSet(), key, tree_seed) == Hash128{});
  CHECK(set_digest(book, key, tree_seed) == set_digest(pen, key, tree_seed));

  // Where it lies it has the same.
  for (const VersionSet& set : {VersionSet(), book}) {
    const dynamo::core::EncodedSet encoded(set);
    dynamo::core::UsualSet usual;
    REQUIRE(usual.read(encoded.bytes()));
    CHECK(set_digest(usual, key, tree_seed) == set_digest(set, key, tree_seed));
  }
  std::set<Hash128> different{set_digest(book, key, tree_seed), set_digest(book, key, 43),
                              set_digest(book, {1, 3}, tree_seed),
                              set_digest(set_of(1, 2), key, tree_seed),
                              set_digest(set_of(2, 1), key, tree_seed)};
  VersionSet overwritten = book;  // the same dots were seen, another one is there
  History seen;
  seen.add({{1, 1}, 1});
  overwritten.put(seen, {.dot = {{1, 1}, 2}, .object = "x"}, Conflict::keep_siblings);
  VersionSet siblings = book;
  siblings.put({}, {.dot = {{1, 1}, 2}, .object = "x"}, Conflict::keep_siblings);
  different.insert(set_digest(overwritten, key, tree_seed));
  different.insert(set_digest(siblings, key, tree_seed));
  CHECK(different.size() == 7);
}

TEST_CASE("merkle tree: memory follows the data and has a bound") {
  Prng prng(5);
  MerkleTree tree(7, 8);
  CHECK(tree.bytes() < 200);
  tree.update(in_partition(prng, 7, 8), {}, {1, 1});
  CHECK(tree.bytes() < 2'000);
  for (int i = 0; i < 100'000; ++i) tree.update(in_partition(prng, 7, 8), {}, {1, 1});
  CHECK(tree.bytes() < 100'000);
}

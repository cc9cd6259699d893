#include "repair/exchange_answers.h"

#include <utility>

#include <fmt/format.h>

namespace dynamo::core {

namespace {

template <class Reply>
Reply refused(std::uint64_t operation, std::string reason) {
  Reply reply;
  reply.operation = operation;
  reply.answer = ExchangeAnswer::refused;
  reply.reason = std::move(reason);
  return reply;
}

}  // namespace

bool add_to_page(KeyedSet set, std::vector<KeyedSet>& page, std::size_t& bytes) {
  const std::size_t size = set.key.size() + set.set.bytes();
  if (!page.empty() && bytes + size > exchange_page_bytes) return false;
  bytes += size;
  page.push_back(std::move(set));
  return true;
}

std::string scope_difference(const ExchangeScope& asked, const ExchangeScope& own) {
  if (asked.format != own.format) {
    return fmt::format("trees of format {}, asked for format {}", own.format, asked.format);
  }
  if (asked.owners != own.owners) return "its owners are others here";
  if (asked.generation != own.generation) {
    return fmt::format("at generation {}, asked at generation {}", own.generation,
                       asked.generation);
  }
  return {};
}

TreeReply answer(const TreeRequest& request, PartitionRecords& records) {
  const MerkleTree& tree = records.tree();
  TreeReply reply{.operation = request.operation, .answer = ExchangeAnswer::ok};
  for (const NodeDigest& asked : request.nodes) {
    if (!tree.has(asked.node) || asked.node.depth == tree.levels()) {
      return refused<TreeReply>(request.operation, "the tree has no such node");
    }
    if (tree.digest(asked.node) == asked.digest) continue;
    reply.differing.push_back({asked.node, tree.children(asked.node)});
  }
  return reply;
}

LeafReply answer(const LeafRequest& request, PartitionRecords& records) {
  LeafReply reply{.operation = request.operation, .answer = ExchangeAnswer::ok};
  bool first = true;
  for (const TreeNode& node : request.nodes) {
    if (!records.tree().has(node)) {
      return refused<LeafReply>(request.operation, "the tree has no such node");
    }
    const HashRange range = records.tree().range(node);
    const KeyHash from = first ? std::max(request.from, range.first) : range.first;
    const bool ascends = first || reply.complete_to < range.first;
    if (from > range.last || !ascends) {
      return refused<LeafReply>(request.operation, "the nodes do not ascend");
    }
    first = false;
    const absl::StatusOr<KeyHash> complete_to =
        records.list(node, from, exchange_keys_max - reply.keys.size(), reply.keys);
    if (!complete_to.ok()) {
      return refused<LeafReply>(request.operation, std::string(complete_to.status().message()));
    }
    reply.complete_to = *complete_to;
    if (*complete_to != range.last || reply.keys.size() == exchange_keys_max) break;
  }
  return reply;
}

SetsReply answer(const SetsRequest& request, PartitionRecords& records) {
  SetsReply reply{.operation = request.operation, .answer = ExchangeAnswer::ok};
  for (const KeyedSet& set : request.sets) {
    const absl::StatusOr<bool> merged = records.merge(set);
    if (!merged.ok()) {
      return refused<SetsReply>(request.operation, std::string(merged.status().message()));
    }
  }
  std::size_t bytes = 0;
  for (const KeyHash& wanted : request.wanted) {
    std::optional<KeyedSet> set = records.read(wanted);
    if (set && !add_to_page(*std::move(set), reply.sets, bytes)) break;
    ++reply.served;
  }
  return reply;
}

}  // namespace dynamo::core

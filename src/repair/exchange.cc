#include "repair/exchange.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "repair/exchange_answers.h"

namespace dynamo::core {

namespace {

constexpr std::size_t leaves_asked_max = 64;

template <class Reply>
absl::Status check_answer(const Reply& reply) {
  switch (reply.answer) {
    case ExchangeAnswer::ok:
      return absl::OkStatus();
    case ExchangeAnswer::not_ready:
      return absl::UnavailableError("its tree is still being built");
    case ExchangeAnswer::refused:
      return absl::UnavailableError(fmt::format("it refused: {}", reply.reason));
  }
  return absl::InternalError("unknown answer");
}

absl::Status senseless(const char* what) {
  return absl::InvalidArgumentError(fmt::format("its answer makes no sense: {}", what));
}

}  // namespace

std::optional<Exchange::Request> Exchange::next(PartitionRecords& records) {
  if (!begun_) {
    begun_ = true;
    nodes_.push_back({});
  }
  if (!push_.empty() || !want_.empty()) {
    SetsRequest request = ask_sets(records);
    if (!request.sets.empty() || !request.wanted.empty()) return request;
  }
  if (!leaves_.empty()) return ask_leaves(records);
  if (!nodes_.empty()) return ask_tree(records);
  return std::nullopt;
}

TreeRequest Exchange::ask_tree(const PartitionRecords& records) {
  TreeRequest request{.scope = scope_};
  while (!nodes_.empty() && request.nodes.size() < exchange_nodes_max) {
    request.nodes.push_back({nodes_.front(), records.tree().digest(nodes_.front())});
    nodes_.pop_front();
  }
  asked_ = request.nodes;
  return request;
}

absl::Status Exchange::take(const TreeReply& reply, PartitionRecords& records) {
  if (absl::Status status = check_answer(reply); !status.ok()) return status;
  const MerkleTree& tree = records.tree();
  auto asked = asked_.begin();
  for (const NodeChildren& theirs : reply.differing) {
    while (asked != asked_.end() && asked->node != theirs.node) ++asked;
    if (asked == asked_.end()) return senseless("a node that was not asked for");
    const auto mine = tree.children(theirs.node);
    for (std::size_t i = 0; i < mine.size(); ++i) {
      if (mine[i] == theirs.digests[i]) continue;
      const TreeNode child{static_cast<std::uint8_t>(theirs.node.depth + 1),
                           theirs.node.index * tree_fanout + i};
      const bool one_sided = mine[i] == Hash128{} || theirs.digests[i] == Hash128{};
      (child.depth == tree.levels() || one_sided ? leaves_ : nodes_).push_back(child);
    }
  }
  asked_.clear();
  std::ranges::sort(leaves_, {}, [&](const TreeNode& node) { return tree.range(node).first; });
  return absl::OkStatus();
}

LeafRequest Exchange::ask_leaves(const PartitionRecords& records) {
  LeafRequest request{.scope = scope_};
  leaves_asked_ = std::min(leaves_.size(), leaves_asked_max);
  request.nodes.assign(leaves_.begin(),
                       leaves_.begin() + static_cast<std::ptrdiff_t>(leaves_asked_));
  from_ = std::max(from_, records.tree().range(leaves_.front()).first);
  request.from = from_;
  return request;
}

absl::Status Exchange::take(const LeafReply& reply, PartitionRecords& records) {
  if (absl::Status status = check_answer(reply); !status.ok()) return status;
  if (leaves_asked_ == 0 || reply.complete_to < from_) return senseless("no progress");
  if (!std::ranges::is_sorted(reply.keys, {}, &KeyDigest::key)) return senseless("keys disordered");
  std::vector<KeyDigest> mine;
  KeyHash covered = reply.complete_to;
  for (std::size_t i = 0; i < leaves_asked_; ++i) {
    const HashRange range = records.tree().range(leaves_[i]);
    if (range.first > covered) break;
    const absl::StatusOr<KeyHash> complete_to = records.list(
        leaves_[i], std::max(from_, range.first), exchange_keys_max - mine.size(), mine);
    if (!complete_to.ok()) return complete_to.status();
    if (*complete_to == range.last && mine.size() < exchange_keys_max) continue;
    covered = std::min(covered, *complete_to);
    break;
  }
  compare(mine, reply.keys, covered);
  if (kind_ == Kind::give) want_.clear();
  drop_leaves(covered, records);
  return absl::OkStatus();
}

void Exchange::compare(const std::vector<KeyDigest>& mine, const std::vector<KeyDigest>& theirs,
                       const KeyHash& covered) {
  auto a = mine.begin();
  auto b = theirs.begin();
  const auto left = [&covered](const auto& at, const auto& keys) {
    return at != keys.end() && at->key <= covered;
  };
  while (left(a, mine) || left(b, theirs)) {
    const bool only_mine = !left(b, theirs) || (left(a, mine) && a->key < b->key);
    const bool only_theirs = !left(a, mine) || (left(b, theirs) && b->key < a->key);
    if (only_mine) {
      push_.push_back(a++->key);
    } else if (only_theirs) {
      want_.push_back(b++->key);
    } else {
      const bool same = a->digest == b->digest;
      if (!same) {
        push_.push_back(a->key);
        want_.push_back(b->key);
      }
      ++a;
      ++b;
      if (same) continue;
    }
    ++differences_;
  }
}

void Exchange::drop_leaves(const KeyHash& covered, const PartitionRecords& records) {
  while (leaves_asked_ > 0 && records.tree().range(leaves_.front()).last <= covered) {
    leaves_.pop_front();
    --leaves_asked_;
  }
  // What is left of the first is asked for next; a subtree that follows begins behind it anyway.
  from_ = leaves_asked_ > 0 ? after(covered) : KeyHash{};
  leaves_asked_ = 0;
}

SetsRequest Exchange::ask_sets(PartitionRecords& records) {
  SetsRequest request{.scope = scope_};
  std::size_t bytes = 0;
  while (!push_.empty() && request.sets.size() < exchange_keys_max) {
    std::optional<KeyedSet> set = records.read(push_.front());
    if (set && !add_to_page(*std::move(set), request.sets, bytes)) break;
    push_.pop_front();
  }
  // What both hold comes back merged, if it was sent before it is asked for.
  if (push_.empty()) {
    wanted_ = std::min(want_.size(), exchange_keys_max);
    request.wanted.assign(want_.begin(), want_.begin() + static_cast<std::ptrdiff_t>(wanted_));
  }
  return request;
}

absl::Status Exchange::take(const SetsReply& reply, PartitionRecords& records) {
  if (absl::Status status = check_answer(reply); !status.ok()) return status;
  if (reply.served > wanted_ || (wanted_ > 0 && reply.served == 0)) return senseless("no progress");
  for (const KeyedSet& set : reply.sets) {
    const absl::StatusOr<bool> merged = records.merge(set);
    if (!merged.ok()) return merged.status();
    received_ = received_ || *merged;
  }
  want_.erase(want_.begin(), want_.begin() + static_cast<std::ptrdiff_t>(reply.served));
  wanted_ = 0;
  return absl::OkStatus();
}

}  // namespace dynamo::core

#include "node/stored_partition.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "node/engine_keys.h"

namespace dynamo::core {

namespace {

// Records are read in chunks of so many, and no more once they were so large together: a step must
// not take long.
constexpr std::size_t chunk_records = 32;
constexpr std::size_t list_bytes_max = std::size_t{4} << 20;

}  // namespace

StoredPartition::StoredPartition(NodeState& state, Replica& replica, const Turn& turn,
                                 const StoreFacts& store, std::uint32_t partition)
    : state_(state),
      replica_(replica),
      turn_(turn),
      store_(store),
      partition_(partition),
      place_(store_place(store.name)),
      tree_(state.trees.tree(place_, partition)) {
  DYNAMO_CHECK(tree_ != nullptr);
}

bool StoredPartition::ready(NodeState& state, const StoreFacts& store, std::uint32_t partition) {
  return state.trees.tree(store_place(store.name), partition) != nullptr;
}

absl::StatusOr<KeyHash> StoredPartition::list(const TreeNode& node, const KeyHash& from,
                                              std::size_t limit, std::vector<KeyDigest>& keys) {
  const HashRange range = tree_->range(node);
  const std::size_t first = keys.size();
  bool over = false;
  KeyHash seen{};  // the last key
  std::string next = object_key(ObjectKey{place_, from});
  while (true) {
    const std::size_t wanted = std::min(chunk_records, limit - (keys.size() - first));
    const std::size_t chunk = listed_bytes_ > list_bytes_max ? 1 : wanted;
    const absl::StatusOr<std::string> scanned =
        turn_.own.scan(next, chunk, [&](std::string_view key, std::string_view bytes_of_record) {
          const std::optional<ObjectKey> at = over ? std::nullopt : parse_object_key(key);
          over = !at || at->store != place_ || at->hash > range.last;
          if (over) return;
          seen = at->hash;
          listed_bytes_ += bytes_of_record.size();
          const absl::StatusOr<Record> record = decode_record(bytes_of_record);
          if (!record.ok()) {
            state_.trees.damaged(*at);
            return;
          }
          const Hash128 digest = state_.trees.digest(at->hash, record->replica.set);
          if (digest != Hash128{}) keys.push_back({at->hash, digest});
        });
    if (!scanned.ok()) return scanned.status();
    if (over || scanned->empty() || seen == range.last) break;
    next = *scanned;
    if (keys.size() - first == limit || listed_bytes_ > list_bytes_max) return seen;
  }
  if (from == range.first) check_digest(node, std::span(keys).subspan(first));
  return range.last;
}

// A tree that does not say what the records say would be repaired for ever (trap G1).
void StoredPartition::check_digest(const TreeNode& node, std::span<const KeyDigest> keys) {
  if (!turn_.written.empty()) return;  // which a scan does not see
  MerkleTree sums(partition_, state_.trees.partition_bits());
  for (const KeyDigest& key : keys) sums.update(key.key, {}, key.digest);
  if (sums.root() == tree_->digest(node)) return;
  const ObjectKey place{place_, tree_->range(node).first};
  state_.trees.doubt(place);
}

std::optional<KeyedSet> StoredPartition::read(const KeyHash& key) {
  std::optional<KeyedSet> set;
  const absl::StatusOr<bool> found =
      turn_.read(object_key(ObjectKey{place_, key}), [&](std::string_view bytes) {
        absl::StatusOr<Record> record = decode_record(bytes);
        if (!record.ok()) {
          state_.trees.damaged({place_, key});
        } else if (record->store == store_.name) {
          set = KeyedSet{.key = std::move(record->key),
                         .generation = state_.stamp(),
                         .set = std::move(record->replica.set)};
        }
      });
  return found.ok() ? set : std::nullopt;
}

absl::StatusOr<bool> StoredPartition::merge(const KeyedSet& set) {
  if (state_.ring->partition_of(state_.hash(set.key)) != static_cast<int>(partition_)) {
    return absl::InvalidArgumentError("a key of another partition");
  }
  if (!state_.generation.owner_accepts(set.generation)) {
    return absl::UnavailableError(fmt::format("a set was read in generation {}, this is {}",
                                              set.generation, state_.generation.current));
  }
  if (std::string full = turn_.own.full(); !full.empty()) return absl::ResourceExhaustedError(full);
  absl::StatusOr<Record> record = replica_.read_to_heal(turn_, store_, set.key);
  if (!record.ok()) return record.status();
  const Hash128 before_merge = *record->digest_as_read;
  record->replica.merge(set.set, store_.conflict);
  const KeyHash key = state_.hash(set.key);
  // Written even if it brought nothing new, as in ReplicaService::write().
  writes_.push_back(replica_.write(turn_, *record, true));
  return state_.trees.digest(key, record->replica.set) != before_merge;
}

}  // namespace dynamo::core

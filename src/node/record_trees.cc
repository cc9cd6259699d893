#include "node/record_trees.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <absl/container/inlined_vector.h>
#include <fmt/format.h>

#include "node/node_state.h"
#include "node/record.h"

namespace dynamo::core {

namespace {

// A chunk takes about so long to read, whatever the size of the records.
constexpr std::size_t chunk_records_max = 512;
constexpr std::size_t chunk_bytes = std::size_t{512} << 10;
// More damage than this is not remembered one by one: the disk is lost, not a record.
constexpr std::size_t damaged_max = 65536;
constexpr std::size_t deletes_max = 65536;

}  // namespace

RecordTrees::RecordTrees(int partitions, int shards)
    : bits_(std::countr_zero(static_cast<unsigned>(partitions))),
      shards_(static_cast<std::size_t>(shards)) {
  const std::size_t each = index_in_shard(static_cast<std::uint32_t>(partitions)) + 1;
  for (Shard& shard : shards_) shard.writes_of.resize(each);
}

void RecordTrees::begin(std::uint64_t seed, TimePoint now) {
  if (begun_) return;
  begun_ = true;
  seed_ = seed;
  whole_walk_.emplace(Walk{.cursor = first_key(RecordKind::object)});
  next_chunk_ = now;
}

RecordTrees::Place RecordTrees::place_of(const ObjectKey& key) const {
  return {key.store, static_cast<std::uint32_t>(key.hash.high >> (64 - bits_))};
}

ObjectKey RecordTrees::first_of(const Place& place) const {
  return {place.store, {std::uint64_t{place.partition} << (64 - bits_), 0}};
}

bool RecordTrees::built(const Place& place) const {
  if (walks_ > 0) return true;
  return whole_walk_ && whole_walk_->current && place < *whole_walk_->current;
}

MerkleTree& RecordTrees::tree_at(const Place& place) {
  Shard& shard = shard_of(place);
  MerkleTree*& tree = shard.tree_at[place];
  if (tree == nullptr) tree = &shard.trees.try_emplace(place, place.partition, bits_).first->second;
  return *tree;
}

const MerkleTree* RecordTrees::tree(std::uint64_t store, std::uint32_t partition) {
  const Place place{store, partition};
  return built(place) && !is_doubtful(place) ? &tree_at(place) : nullptr;
}

std::optional<Hash128> RecordTrees::root(std::uint64_t store, std::uint32_t partition) const {
  const Place place{store, partition};
  if (!built(place) || is_doubtful(place)) return std::nullopt;
  const auto& trees = shard_of(place).trees;
  const auto at = trees.find(place);
  return at == trees.end() ? Hash128{} : at->second.root();
}

bool RecordTrees::holds(std::uint64_t store, std::uint32_t partition) const {
  const Place place{store, partition};
  const Shard& shard = shard_of(place);
  const auto tree = shard.trees.find(place);
  if (tree != shard.trees.end() && tree->second.root() != Hash128{}) return true;
  const auto damaged = shard.damaged.lower_bound(first_of(place));
  return damaged != shard.damaged.end() && place_of(*damaged) == place;
}

void RecordTrees::apply(const ObjectKey& key, const Hash128& before, const Hash128& now) {
  const Place place = place_of(key);
  if (built(place)) tree_at(place).update(key.hash, before, now);
  for (std::optional<Walk>* walk : {&whole_walk_, &urgent_walk_}) {
    if (!*walk || (*walk)->current != place) continue;
    if (object_key(key) < (*walk)->cursor) (*walk)->fresh->update(key.hash, before, now);
  }
}

void RecordTrees::prefetch(std::span<const ObjectKey> keys) const {
  absl::InlinedVector<MerkleTree::Descent, RecordReader::expected_max> descents;
  for (const ObjectKey& key : keys) {
    const Shard& shard = shard_of(key);
    shard.pending.prefetch(key);
    const auto at = shard.tree_at.find(place_of(key));
    if (at != shard.tree_at.end()) descents.emplace_back(*at->second, key.hash);
  }
  for (bool more = true; more;) {
    more = false;
    for (MerkleTree::Descent& descent : descents) more |= descent.step();
  }
}

void RecordTrees::written(const ObjectKey& key, std::uint64_t write, const Hash128& before,
                          const Hash128& now) {
  if (!begun_) return;
  // Whoever has it in memory may still read what the disk has lost, and the tree with it.
  Shard& shard = shard_of(key);
  const bool lost = shard.damaged.erase(key) > 0;
  apply(key, lost ? Hash128{} : before, now);
  Pending& pending = shard.pending[key];
  pending.digest = now;
  ++pending.writes;
  shard.by_write[write] = key;
  ++shard.writes_of[index_in_shard(place_of(key).partition)];
}

void RecordTrees::note_deletes(const ObjectKey& key, bool only) {
  std::set<ObjectKey>& deletes = shard_of(key).deletes;
  if (!only) {
    deletes.erase(key);
  } else if (deletes.size() < deletes_max) {
    deletes.insert(key);
  }
}

// Of each shard what is next; the least of them all is it.
void RecordTrees::each_delete(const ObjectKey& from,
                              absl::FunctionRef<bool(const ObjectKey&)> see) const {
  using Range = std::pair<std::set<ObjectKey>::const_iterator, std::set<ObjectKey>::const_iterator>;
  std::vector<Range> left;
  for (const Shard& shard : shards_) {
    const Range range(shard.deletes.lower_bound(from), shard.deletes.end());
    if (range.first != range.second) left.push_back(range);
  }
  while (!left.empty()) {
    const auto next =
        std::ranges::min_element(left, {}, [](const Range& range) { return *range.first; });
    if (!see(*next->first)) return;
    if (++next->first == next->second) left.erase(next);
  }
}

bool RecordTrees::has_deletes() const {
  return std::ranges::any_of(shards_, [](const Shard& shard) { return !shard.deletes.empty(); });
}

std::size_t RecordTrees::damaged_records() const {
  std::size_t records = 0;
  for (const Shard& shard : shards_) records += shard.damaged.size();
  return records;
}

std::vector<std::uint64_t> RecordTrees::pending(std::uint64_t store,
                                                std::uint32_t partition) const {
  std::vector<std::uint64_t> writes;
  const Place place{store, partition};
  const Shard& shard = shard_of(place);
  // Of most partitions there are none, and of all together very many.
  if (shard.writes_of[index_in_shard(partition)] == 0) return writes;
  shard.by_write.for_each([&](std::uint64_t write, const ObjectKey& key) {
    if (place_of(key) == place) writes.push_back(write);
  });
  std::ranges::sort(writes);
  return writes;
}

void RecordTrees::settled(std::span<const std::uint64_t> writes) {
  for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
    settled_in(static_cast<int>(shard), writes);
  }
}

void RecordTrees::settled_in(int index, std::span<const std::uint64_t> writes) {
  Shard& shard = shards_[static_cast<std::size_t>(index)];
  for (const std::uint64_t write : writes) {
    const ObjectKey* const key = shard.by_write.find(write);
    if (key == nullptr) continue;
    if (--shard.pending.find(*key)->writes == 0) shard.pending.erase(*key);
    --shard.writes_of[index_in_shard(place_of(*key).partition)];
    shard.by_write.erase(write);
  }
}

void RecordTrees::failed(const Turn& turn, const std::vector<std::uint64_t>& writes) {
  for (const std::uint64_t write : writes) {
    const ObjectKey* at = nullptr;
    for (Shard& shard : shards_) at = at == nullptr ? shard.by_write.find(write) : at;
    if (at == nullptr) continue;
    const ObjectKey key = *at;
    Hash128 now;
    const absl::StatusOr<bool> read = turn.read(
        object_key(key), [&](std::string_view record) { now = digest_of(turn, key, record); });
    Pending& pending = *shard_of(key).pending.find(key);
    if (read.ok()) {
      apply(key, pending.digest, now);
      pending.digest = now;
    } else {
      doubt(key);
    }
  }
  settled(writes);
}

bool RecordTrees::damaged(const ObjectKey& key) {
  std::set<ObjectKey>& damaged = shard_of(key).damaged;
  if (damaged.size() >= damaged_max || !damaged.insert(key).second) return false;
  doubt(key);
  return true;
}

void RecordTrees::doubt(const ObjectKey& key) {
  const Place place = place_of(key);
  shard_of(place).doubtful.insert(place);
  // A tree that is being made anew may have what is in doubt in it already.
  for (std::optional<Walk>* walk : {&whole_walk_, &urgent_walk_}) {
    if (!*walk || (*walk)->current != place) continue;
    (*walk)->cursor = object_key(first_of(place));
    (*walk)->fresh.emplace(place.partition, bits_);
  }
}

Hash128 RecordTrees::digest_of(const Turn& turn, const ObjectKey& key, std::string_view record) {
  const absl::StatusOr<Record> decoded = decode_record(record);
  if (decoded.ok()) {
    note_deletes(key, decoded->replica.set.only_deletes_at(turn.now.wall_us));
    return digest(key.hash, decoded->replica.set);
  }
  note_damage(turn, key, std::string(decoded.status().message()));
  return {};
}

void RecordTrees::note_damage(const Turn& turn, const ObjectKey& key, std::string_view why) {
  Shard& shard = shard_of(key);
  if (shard.damaged.size() >= damaged_max || !shard.damaged.insert(key).second) return;
  // Until the walk that has found it has passed, or another one.
  shard.doubtful.insert(place_of(key));
  turn.log(LogLevel::error,
           fmt::format("a record of partition {} is damaged and will be repaired from its other "
                       "owners: {}",
                       place_of(key).partition, why));
}

std::optional<RecordTrees::Place> RecordTrees::first_doubtful() const {
  std::optional<Place> first;
  for (const Shard& shard : shards_) {
    if (shard.doubtful.empty()) continue;
    first = first ? std::min(*first, *shard.doubtful.begin()) : *shard.doubtful.begin();
  }
  return first;
}

bool RecordTrees::awaited() const {
  return walks_ == 0 || urgent_walk_ ||
         std::ranges::any_of(shards_, [](const Shard& shard) { return !shard.doubtful.empty(); });
}

void RecordTrees::tick(const Turn& turn, Background& background) {
  // The reader does not know yet what this very step has written.
  if (turn.now.steady < next_chunk_ || !turn.written.empty()) return;
  const std::optional<Place> doubtful = first_doubtful();
  if (walks_ > 0 && !urgent_walk_ && doubtful) {
    urgent_walk_.emplace(Walk{.cursor = object_key(first_of(*doubtful)),
                              .whole = false,
                              .current = *doubtful,
                              .fresh = MerkleTree(doubtful->partition, bits_)});
  }
  if (urgent_walk_) {
    if (go_on(turn, *urgent_walk_)) urgent_walk_.reset();
  } else if (walks_ == 0 || turn.now.steady >= next_scrub_) {
    if (!whole_walk_) whole_walk_.emplace(Walk{.cursor = first_key(RecordKind::object)});
    const bool over = go_on(turn, *whole_walk_);
    if (over) {
      whole_walk_.reset();
      ++walks_;
    }
    next_scrub_ = turn.now.steady + (over ? scrub_rest : scrub_pause);
  }
  next_chunk_ = background.done(Background::Work::walk, turn.now.steady, pause, 0);
  if (awaited()) next_chunk_ = std::min(next_chunk_, turn.now.steady + 10 * pause);
}

TimePoint RecordTrees::next_tick() const {
  if (!begun_) return TimePoint::max();
  return awaited() ? next_chunk_ : std::max(next_chunk_, next_scrub_);
}

bool RecordTrees::go_on(const Turn& turn, Walk& walk) {
  bool over = false;
  std::size_t bytes = 0;
  const absl::StatusOr<std::string> next =
      turn.own.scan(walk.cursor, walk.limit, [&](std::string_view key, std::string_view record) {
        const std::optional<ObjectKey> at = over ? std::nullopt : parse_object_key(key);
        over = !at || (!walk.whole && place_of(*at) != walk.current);
        if (over) return;
        bytes += record.size();
        if (place_of(*at) != walk.current) pass(turn, walk, place_of(*at));
        walk.fresh->update(at->hash, {}, digest_of(turn, *at, record));
      });
  if (!next.ok()) {
    turn.log(LogLevel::error, fmt::format("the records cannot be scanned: {}",
                                          std::string(next.status().message())));
    return false;
  }
  walk.limit = std::clamp<std::size_t>(bytes > chunk_bytes ? walk.limit / 2 : walk.limit * 2, 1,
                                       chunk_records_max);
  if (over || next->empty()) {
    pass(turn, walk, std::nullopt);
    return true;
  }
  walk.cursor = *next;
  return false;
}

// Puts the tree that is complete into its place. What lies between it and the next record of the
// walk is empty.
void RecordTrees::pass(const Turn& turn, Walk& walk, const std::optional<Place>& next) {
  const auto note_change = [&](const Place& place, const Hash128& root) {
    const auto& trees = shard_of(place).trees;
    const auto live = trees.find(place);
    const Hash128 before = live == trees.end() ? Hash128{} : live->second.root();
    if (!built(place) || is_doubtful(place) || before == root) return;
    ++corrected_;
    turn.log(LogLevel::warning,
             fmt::format("the tree of partition {} was wrong, and is right now", place.partition));
  };
  if (walk.current) {
    note_change(*walk.current, walk.fresh->root());
    shard_of(*walk.current).doubtful.erase(*walk.current);
    shard_of(*walk.current).trees.insert_or_assign(*walk.current, *std::move(walk.fresh));
  }
  // Those of `places` that lie between.
  const auto between = [&](auto& places) {
    return std::pair(walk.current ? places.upper_bound(*walk.current) : places.begin(),
                     next ? places.lower_bound(*next) : places.end());
  };
  for (Shard& shard : shards_) {
    if (!walk.whole) break;
    const auto [from, to] = between(shard.trees);
    for (auto at = from; at != to; ++at) note_change(at->first, {});
    if (from != to) shard.tree_at.clear();
    shard.trees.erase(from, to);
    const auto [first, last] = between(shard.doubtful);
    shard.doubtful.erase(first, last);
  }
  walk.current = next;
  if (next) {
    walk.fresh.emplace(next->partition, bits_);
  } else {
    walk.fresh.reset();
  }
}

std::size_t RecordTrees::bytes() const {
  std::size_t bytes = 0;
  for (const Shard& shard : shards_) {
    for (const auto& [place, tree] : shard.trees) bytes += 64 + tree.bytes();
  }
  return bytes;
}

}  // namespace dynamo::core

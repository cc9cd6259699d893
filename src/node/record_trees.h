#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/functional/function_ref.h>

#include "base/flat_table.h"
#include "base/time.h"
#include "node/background.h"
#include "node/engine_keys.h"
#include "node/event.h"
#include "repair/merkle_tree.h"

namespace dynamo::core {

struct Turn;

// The Merkle trees of all records of this node, one for each store and partition, in memory.
//
// Every write of a record moves its tree from the old digest to the new one. When a write fails,
// the engine's older record is back, and the tree follows it. At start, trees are made by a walk
// over the engine, a bounded chunk at a time; until the walk has passed a partition, its tree is
// not shown. The same walk goes on for ever, slowly: it finds records that have rotted, and trees
// that are wrong, which none should be.
//
// A walk makes each tree anew beside the one that is in use, and puts it in its place (trap G3). A
// write behind the walk's cursor changes both, one before it will be found there.
//
// A record whose checksum fails is in no tree: to the next exchange it is a record that this node
// does not have, and so the peers bring it back. As its old digest is lost with it, the tree is in
// doubt, and not shown, until it has been made anew.
//
// What is kept of a partition lies in the shard of the strand that it belongs to (node/strand.h).
//
// Thread safety: one thread at a time; but what prefetch(), digest(), written(), note_deletes(),
// damaged() and settled_in() touch is one shard, and strands may call them at the same time, each
// of its own partitions.
class RecordTrees {
 public:
  // The pause between two chunks: of a walk that somebody waits for, and of one that nobody does;
  // and the rest between two of the latter. Requests of the application make it longer, for the
  // former no more than tenfold: until trees are there, nothing can be repaired.
  static constexpr TimePoint pause = std::chrono::milliseconds(5);
  static constexpr TimePoint scrub_pause = std::chrono::seconds(1);
  static constexpr TimePoint scrub_rest = std::chrono::minutes(10);

  explicit RecordTrees(int partitions, int shards = 1);

  // The cluster is known, and with it the key of all digests. Before, there are no trees.
  void begin(std::uint64_t seed, TimePoint now);
  template <class Set>  // a VersionSet or UsualSet
  Hash128 digest(const KeyHash& key, const Set& set) const {
    return begun_ ? set_digest(set, key, seed_) : Hash128{};
  }

  // Brings what written() of these needs near the processor.
  void prefetch(std::span<const ObjectKey> keys) const;
  // The record has been put into the object buffer; zero digests: there was none, there is none.
  void written(const ObjectKey& key, std::uint64_t write, const Hash128& before,
               const Hash128& now);
  // The record holds, or no longer holds, nothing but deletes and what has expired.
  void note_deletes(const ObjectKey& key, bool only);
  // Of these records, as many as are kept in mind; the walks find the others. Calls `see` with
  // those from `from` on, in order, until it returns false.
  void each_delete(const ObjectKey& from, absl::FunctionRef<bool(const ObjectKey&)> see) const;
  bool has_deletes() const;
  // The record is on its way to the disk.
  bool pending(const ObjectKey& key) const { return shard_of(key).pending.contains(key); }
  // The writes of records of that tree that are.
  std::vector<std::uint64_t> pending(std::uint64_t store, std::uint32_t partition) const;

  // What became of writes; those of others are ignored.
  void settled(std::span<const std::uint64_t> writes);
  void settled_in(int shard, std::span<const std::uint64_t> writes);
  void failed(const Turn& turn, const std::vector<std::uint64_t>& writes);

  // The record cannot be read. Returns whether that is news.
  bool damaged(const ObjectKey& key);
  // The tree of this record may be wrong.
  void doubt(const ObjectKey& key);

  // Null if the tree is not ready. Valid until the next call of anything else here.
  const MerkleTree* tree(std::uint64_t store, std::uint32_t partition);
  // Whether there are records of it, damaged ones too.
  bool holds(std::uint64_t store, std::uint32_t partition) const;
  // The first walk is over.
  bool complete() const { return walks_ > 0; }

  void tick(const Turn& turn, Background& background);
  TimePoint next_tick() const;

  int partition_bits() const { return bits_; }

  // For status and tests. Nullopt: the tree is not ready.
  std::optional<Hash128> root(std::uint64_t store, std::uint32_t partition) const;
  std::size_t damaged_records() const;
  std::uint64_t trees_corrected() const { return corrected_; }
  std::uint64_t walks() const { return walks_; }
  std::size_t bytes() const;

 private:
  struct Place {
    std::uint64_t store = 0;
    std::uint32_t partition = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Walk {
    std::string cursor{};  // the engine key to go on from
    bool whole = true;     // over everything, or over `current` alone
    std::optional<Place> current{};
    std::optional<MerkleTree> fresh{};  // of `current`
    std::size_t limit = 64;             // records in the next chunk
  };
  struct Pending {
    Hash128 digest{};  // as the tree has it
    int writes = 0;
  };
  struct HashOfPlace {  // a store's is a hash itself
    std::size_t operator()(const Place& place) const { return place.store + place.partition; }
  };
  struct HashOfKey {  // of which it is made
    std::size_t operator()(const ObjectKey& key) const { return key.hash.low; }
  };
  struct HashOfWrite {  // the numbers ascend
    std::size_t operator()(std::uint64_t write) const { return write * 0x9e3779b97f4a7c15 >> 24; }
  };
  struct Shard {
    std::map<Place, MerkleTree> trees{};
    // Of those, found by a write before.
    std::unordered_map<Place, MerkleTree*, HashOfPlace> tree_at{};
    std::set<Place> doubtful{};
    std::set<ObjectKey> damaged{};
    // Records on their way to the disk: all that were written since the last flush.
    FlatTable<ObjectKey, Pending, HashOfKey> pending{};
    FlatTable<std::uint64_t, ObjectKey, HashOfWrite> by_write{};  // the same
    std::vector<std::uint32_t> writes_of{};  // how many of these each of its partitions has
    std::set<ObjectKey> deletes{};
  };

  Place place_of(const ObjectKey& key) const;
  std::size_t shard_index(std::uint32_t partition) const { return partition % shards_.size(); }
  std::size_t index_in_shard(std::uint32_t partition) const { return partition / shards_.size(); }
  Shard& shard_of(const Place& place) { return shards_[shard_index(place.partition)]; }
  const Shard& shard_of(const Place& place) const { return shards_[shard_index(place.partition)]; }
  Shard& shard_of(const ObjectKey& key) { return shard_of(place_of(key)); }
  const Shard& shard_of(const ObjectKey& key) const { return shard_of(place_of(key)); }
  // In doubt, the first of all.
  std::optional<Place> first_doubtful() const;
  bool is_doubtful(const Place& place) const { return shard_of(place).doubtful.contains(place); }
  ObjectKey first_of(const Place& place) const;
  bool built(const Place& place) const;
  bool awaited() const;
  MerkleTree& tree_at(const Place& place);
  void apply(const ObjectKey& key, const Hash128& before, const Hash128& now);
  Hash128 digest_of(const Turn& turn, const ObjectKey& key, std::string_view record);
  // Returns whether the walk is over.
  bool go_on(const Turn& turn, Walk& walk);
  void pass(const Turn& turn, Walk& walk, const std::optional<Place>& next);
  void note_damage(const Turn& turn, const ObjectKey& key, std::string_view why);

  // Constant after construction.
  const int bits_;

  bool begun_ = false;
  std::uint64_t seed_ = 0;
  std::vector<Shard> shards_;
  // Between two steps of a walk, only its place is asked for; the rest belongs to that one's shard.
  std::optional<Walk> whole_walk_;
  std::optional<Walk> urgent_walk_;
  TimePoint next_chunk_ = TimePoint::max();
  TimePoint next_scrub_{};
  std::uint64_t walks_ = 0;  // whole ones that are over
  std::uint64_t corrected_ = 0;
};

}  // namespace dynamo::core

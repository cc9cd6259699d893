#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hybrid_time.h"
#include "base/key_hash.h"
#include "base/recycling_allocator.h"
#include "causality/context_body.h"
#include "coordinator/failure_detector.h"
#include "coordinator/replica_tally.h"
#include "node/background.h"
#include "node/event.h"
#include "node/identity.h"
#include "node/outbox.h"
#include "node/peer_table.h"
#include "node/record_trees.h"
#include "node/repair_horizon.h"
#include "node/store_table.h"
#include "node/strand.h"
#include "repair/generation.h"
#include "repair/hint_log.h"
#include "ring/partition_map.h"
#include "wire/message.h"

namespace dynamo::core {

// What one step of the machine works with, besides its state.
//
// One step may bring several messages about one key, so what it has written itself counts before
// what `own` knows: the host takes over its writes only when the step is done.
struct Turn {
  // Where in out.writes the last write of a key is, by the end of the key, which is a hash's: there
  // the keys of objects differ, and what others share it is told by comparing.
  using Written = RecyclingMap<std::uint64_t, std::size_t>;

  Now now{};
  const RecordReader& own;
  Actions& out;
  Written& written;
  Strand& strand;               // that it is done in
  std::uint64_t peer_view = 0;  // which the packet that is dealt with was sent in

  // The same step for another strand. REQUIRES: no strand works.
  Turn in(Strand& other) const { return {now, own, out, written, other, peer_view}; }

  void write(WriteRecord record) const {
    written.insert_or_assign(end_of(record.key), out.writes.size());
    out.writes.push_back(std::move(record));
  }
  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) const {
    const WriteRecord* const write = last_write(key);
    if (write == nullptr) return own.read(key, visit);
    if (write->record) visit(*write->record);
    return write->record.has_value();
  }
  void log(LogLevel level, std::string text) const { out.log.push_back({level, std::move(text)}); }

 private:
  static std::uint64_t end_of(std::string_view key) {
    std::uint64_t end = key.size();
    if (key.size() >= sizeof(end)) std::memcpy(&end, key.end() - sizeof(end), sizeof(end));
    return end;
  }
  // In this step; null if there is none.
  const WriteRecord* last_write(std::string_view key) const {
    const auto at = written.find(end_of(key));
    if (at == written.end()) return nullptr;
    for (std::size_t i = at->second + 1; i > 0; --i) {
      if (out.writes[i - 1].key == key) return &out.writes[i - 1];
    }
    return nullptr;
  }
};

// Of the hashes of this cluster's keys.
inline std::uint64_t cluster_seed(const Identity& cluster) { return cluster.high ^ cluster.low; }

struct NodeSettings {
  std::string cluster_label{};
  int partitions = 256;
  std::uint64_t background_bytes_per_second = 0;  // 0: no limit
  std::size_t hint_bytes_max = std::size_t{1} << 30;
  bool with_trees = true;  // off only in the benchmark that measures what they cost
  std::shared_ptr<const ContextSecrets> context_secrets{};  // shared with contexts; null: none
  std::uint64_t seed = 0;                                   // of write ids and operation numbers
  int strands = 1;                                          // of loops that work at the same time
};

// What the parts of a node share: who it is, what it knows of ring, peers and stores.
//
// Thread safety: one thread at a time. While strands work, they may read all of it, and change
// nothing but what says for itself that strands may.
struct NodeState {
  NodeState(NodeIdentity identity, NodeSettings node_settings);

  // Constant after construction.
  NodeSettings settings;

  NodeIdentity self;
  View view{};                               // what the ring was made from
  std::uint64_t stored_view = 0;             // the number of the last one that is on the disk
  std::shared_ptr<const PartitionMap> ring;  // null before the first view; shared with the handles
  Identity cluster{};                        // in packets and contexts; zero before the first view
  PeerTable peers;
  StoreTable stores;
  FailureDetector detector;
  HintLog hints;
  Generation generation{};               // refuses; stored_generation says, stamps and drops
  Generation stored_generation{};        // what of it is on the disk
  TimePoint generation_since{};          // when it began to move, if it does
  std::vector<std::string> unsettled{};  // whom it waits for, if this node leads
  std::set<int> rebuilding{};  // partitions whose records were lost with a disk, and are not back
  RecordTrees trees;
  RepairHorizon horizon;
  Background background;
  std::set<int> former{};          // partitions of which this node has what it owns no more
  std::uint64_t former_known = 0;  // the view that this was found out in
  struct Transfer {
    bool is_ready = false;
    TimePoint since{};
    std::uint64_t begun = 0;  // rounds
    std::uint64_t bytes = 0;
    std::string trouble{};
  };
  std::map<int, Transfer> transfers;  // of partitions that this node gets
  std::uint64_t reaped = 0;           // records dropped, since the start
  HybridClock clock;
  std::vector<std::unique_ptr<Strand>> strands;  // of the loops, and the common one
  Strand& common;
  Outbox& outbox;                 // the common one's
  absl::Status out_of_service{};  // not OK: why this node serves nothing any more
  // Not OK: why this node takes no more writes. It is still read, and what it then sends is stamped
  // with the generation that is on its disk. That stays acceptable to all for as long as this
  // lasts: owners refuse only what is stamped below the generation that they have sealed, the
  // cluster seals only what every member reports to have settled in, and a member reports, as it
  // stamps, what it has stored. So nothing is sealed above what this node settled in last, which is
  // no higher than its stamp. Nothing is reaped meanwhile.
  absl::Status storage_failed{};
  bool draining = false;  // this node coordinates nothing any more

  const absl::Status& takes_writes() const {
    return out_of_service.ok() ? storage_failed : out_of_service;
  }
  std::uint64_t next_number() { return common.next_number(); }
  // That deals with the key, and that draws such numbers; null: none of this node's.
  Strand& strand_of(std::string_view key) const {
    const auto partition = settings.strands == 1 ? 0 : ring->partition_of(hash(key));
    return *strands[static_cast<std::size_t>(partition % settings.strands)];
  }
  Strand* strand_of_number(std::uint64_t number) const {
    const auto index = static_cast<std::size_t>(Strand::of_number(number));
    return index < strands.size() ? strands[index].get() : nullptr;
  }
  KeyHash hash(std::string_view key) const { return key_hash(key, cluster_seed(cluster)); }
  ObjectKey place(std::string_view store, std::string_view key) const {
    return {store_place(store), hash(key)};
  }
  // Of a context of that key that this node makes: bound to it, and nothing seen yet.
  ContextBody context_body(std::string_view store, std::string_view key) const;
  // The n owners of the key, in order; fewer if the cluster has fewer. REQUIRES: ring; so for the
  // next ones.
  OwnerSides owner_sides(std::string_view key, int n) const;
  // Those of both sides.
  std::vector<std::string> owners(std::string_view key, int n) const;
  // Null if no member of the ring has that name, or there is no ring.
  const Member* member(std::string_view name) const;
  // Of members of the ring, in their order.
  std::vector<std::string> names(std::span<const MemberIndex> members) const;
  bool holds(std::span<const MemberIndex> members, std::string_view name) const;
  // The first choice to ask first: this node, those that can be reached, those that answered
  // fastest lately; else as they are.
  void order_by_nearness(NodeNames& nodes, TimePoint now) const;
  // Those that follow them on the preference list, up to 2n together.
  std::vector<std::string> stand_ins(std::string_view key, int n) const;
  // What this node is to the key: nullopt if it has no business with it.
  std::optional<ReplicaReport::Role> role_for(std::string_view key, int n) const;
  // Who fills that place in the ring, this node included; zero if nobody has been heard of yet.
  Identity identity_of(std::string_view name) const;
  // A number of the peer's process as it was last heard of, another after each start; 0: never was.
  std::uint64_t life_of(std::string_view name) const;
  // Whether the member is one of the n owners of the partition, on either side. REQUIRES: ring.
  bool owns(std::string_view name, int n, std::uint32_t partition) const;
  // The same of a partition and an n that the ring has.
  bool is_owner(std::string_view name, int n, int partition) const;
  // Of the stores that this node knows; 3 before it knows any.
  int largest_n() const;
  // The ring of `view`, deep enough for every store.
  void make_ring();
  // To be called when a store has become known: nodes agree on the owners of a key only up to the n
  // that their rings were made for.
  void deepen_ring();
  // What is to be written of a store that is in the table.
  WriteRecord store_record(std::string_view name, bool synced = true);
  // What is to be read of it, or written, changes nothing of the table.
  bool is_settled(const StoreFacts& store) const;
  // Of what this node reads now.
  std::uint64_t stamp() const { return stored_generation.stamp(); }
  // Why this node cannot say what it owns of the key; empty if it can.
  std::string_view not_rebuilt(std::string_view key) const;
  // Why this node cannot coordinate for owners yet; empty if it can. Its disk may be lost without
  // its knowing, and then it stamps what it keeps with a generation that owners refuse for ever.
  std::string not_introduced() const;
  bool is_self(std::string_view name) const { return name == self.name; }
  // The answer tells when it was asked, and anything else that its packet says.
  void ping(const std::string& peer, TimePoint now) { ping(common, peer, now); }
  void ping(Strand& strand, const std::string& peer, TimePoint now) {
    strand.outbox.send(peer, Ping{static_cast<std::uint64_t>(now.count())});
    detector.pinged(peer, now);
  }
  // Why `peer` is not waited for; empty if it is.
  std::string unreachable_reason(std::string_view peer, TimePoint now) const;
};

}  // namespace dynamo::core

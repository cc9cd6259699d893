#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "findings.h"
#include "ghosts.h"
#include "members.h"
#include "node/event.h"
#include "node/record.h"
#include "seed_options.h"

// C1, C5, C6, C9: what nodes write, seen at each step of each of them, before it is on any disk.
//
//   C1  P7   a record holds only what some put of that key has sent, byte for byte, and nothing
//   that
//            was refused for good (P11)
//   C5  P4   a dot belongs to one write for ever, an actor to one key, and its counters rise
//   C6  P8   no version beside one whose writer was shown it; the bytes are canonical; under
//            last-write-wins (P14) one version at most, and a write keeps its clock
//   C9  P4   a hint goes when its owners have all of it on their disks, and not before
//   C2  P12  so does the copy of whoever owns a key no more
namespace seeds {

// A node has dropped a record that held nothing but deletes; `covered` are the writes that are gone
// with it.
using OnReap = std::function<void(int key, const Bits& covered)>;

// Thread safety: one thread.
class RecordChecks {
 public:
  RecordChecks(dynamo::testing::SimCluster& cluster, Ghosts& ghosts, const Members& members,
               Findings& findings, const SeedOptions& options);

  // Of one step of a node. REQUIRES: called while the node is in it.
  void see(std::string_view node, const dynamo::core::Actions& actions);

  void on_reap(OnReap on_reap) { on_reap_ = std::move(on_reap); }
  // The disk is not what it was: what was on it is missed nowhere.
  void disk_lost(int node) { lost_.insert(node); }
  // What it had in memory is gone.
  void died(int node);

 private:
  void see_record(std::string_view node, const dynamo::core::WriteRecord& write);
  void see_version(int key, std::string_view node, const dynamo::core::StoredVersion& version);
  void see_dot(int key, const dynamo::core::StoredVersion& version, const Write& write);
  void see_versions_together(int key, std::string_view node, const dynamo::core::VersionSet& set);
  void see_hint_go(int node, const std::string& engine_key);
  void see_record_go(int node, const std::string& engine_key);
  void see_copy_go(int node, const std::string& engine_key, int key,
                   const dynamo::core::Record& copy);
  std::vector<int> owed(const dynamo::core::Record& hint, int key, int node) const;
  // A write of `from` that is neither on the owner's disk nor need be; nullptr if there is none.
  const Write* missing_at(int owner, int key, const std::string& object_key,
                          const dynamo::core::Record& from);

  dynamo::testing::SimCluster& cluster_;
  Ghosts& ghosts_;
  const Members& members_;
  Findings& findings_;
  const bool last_write_wins_;
  const bool packets_arrive_once_;
  OnReap on_reap_;
  struct Actor {
    int key = -1;
    std::uint64_t counter = 0;
  };
  std::map<dynamo::ActorId, Actor> actors_;
  std::set<int> lost_;  // disks, by node
  // Whom hints that have been written in this life are owed to: the disk may not know yet who has
  // been struck off (seed 752108).
  std::map<std::pair<int, std::string>, std::vector<dynamo::Identity>> owed_;
};

// What is on the node's disk, of an object or a hint: nullopt if there is nothing, or it is
// damaged.
struct OnDisk {
  bool damaged = false;
  std::optional<dynamo::core::Record> record{};
};
OnDisk read_disk(dynamo::testing::SimCluster& cluster, int node, std::string_view engine_key);

}  // namespace seeds

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "base/hash.h"
#include "base/key_hash.h"
#include "findings.h"
#include "node/event.h"
#include "ring/partition_map.h"
#include "seed_options.h"

namespace seeds {

// -1: no node has that name.
int index_of(const dynamo::testing::SimCluster& cluster, std::string_view name);

// The identity on the node's disk has left the cluster, or was removed. Not to be called from
// inside a step.
bool is_gone(dynamo::testing::SimCluster& cluster, int node);

// Who belongs to the cluster and owns what, by the views that nodes are seen to go to; and whether
// these views are right.
//
//   C10  P12  no two views have the same number; nobody who has left or was removed is ever a
//             member again. In the end all that are up are in the same view and are members, or
//             have gone, and serve nothing; nobody who is not there is a member
//   C11  P12  in every view the first n of every preference list are distinct members, in distinct
//             zones as long as zones suffice, and n as long as members suffice
//
// A move of the partition is over, and these serve it alone. Called from inside a step.
using OnMoveEnd = std::function<void(int partition, const std::vector<int>& owners)>;

// Thread safety: one thread.
class Members {
 public:
  Members(dynamo::testing::SimCluster& cluster, Findings& findings, const SeedOptions& options);

  // REQUIRES: called when all nodes are in a view.
  void start();
  // Of one step of a node. REQUIRES: called while the node is in it; start().
  void see(std::string_view node, const dynamo::core::Actions& actions);

  void on_move_end(OnMoveEnd on_move_end) { on_move_end_ = std::move(on_move_end); }

  dynamo::core::KeyHash hash_of(std::string_view key) const;
  int partition_of(std::string_view key) const;
  // The owners of the key, of both sides while it moves: in the view that the node is in, and in
  // the latest that any node has been in. Without start() nobody owns anything.
  std::vector<int> owners_of(std::string_view key, int node) const;
  // Only those of the side that has all of it.
  std::vector<int> current_owners_of(std::string_view key, int node) const;
  std::vector<int> latest_owners_of(std::string_view key) const;

  // Of any partition, on any side, in the latest view; n at most.
  int fewest_owners() const;

  // The node is up, in a view, and a member of the latest one. Not to be called from inside a step;
  // so for the next one.
  bool is_in(int node);
  // Empty if the members are who they should be, all know it, and nothing moves any more; else the
  // first thing that is missing.
  std::string unsettled();
  // How far every node is, for people: a line for each.
  std::string describe();

 private:
  using Ring = std::shared_ptr<const dynamo::core::PartitionMap>;

  void see_view(std::string_view node, dynamo::View view);
  void check_lists(const dynamo::core::PartitionMap& ring);
  void check_gone(const dynamo::View& before, const dynamo::View& after);
  void count_changes(const dynamo::View& before, const dynamo::View& after);
  std::vector<int> owners(const Ring& ring, std::string_view key) const;
  std::vector<int> nodes(const dynamo::core::PartitionMap& ring,
                         std::span<const dynamo::core::MemberIndex> members) const;
  std::string unsettled_node(int node);

  dynamo::testing::SimCluster& cluster_;
  Findings& findings_;
  const SeedOptions& options_;
  OnMoveEnd on_move_end_;
  std::uint64_t hash_seed_ = 0;
  struct Known {
    dynamo::View view{};
    dynamo::core::Hash128 digest{};
    Ring ring{};
  };
  std::map<std::uint64_t, Known> views_;  // by number
  std::map<std::string, Ring, std::less<>> by_node_;
};

}  // namespace seeds

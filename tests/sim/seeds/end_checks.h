#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "findings.h"
#include "ghosts.h"
#include "members.h"
#include "record_checks.h"
#include "seed_options.h"

// C2, C3, C7, C8: what the disks hold, at each death of a node and once everybody is well again.
//
//   C2  P4   every acknowledged write is there, or some write that had seen it is, or was before it
//            was dropped with the deletes
//   C2' P14  under last-write-wins also: or what is there has a larger clock
//   C3  P6   nothing that an acknowledged write had replaced is there
//   C7  P1   at a power cut: w disks, but for those that are lost, have each acknowledged write
//       P12  at the end of a move: w of the new owners, for none of them has to ask the old ones
//   C8  P5   all owners hold the same, no hint is left, and every Merkle tree is what a recount
//   gives
namespace seeds {

// Thread safety: one thread.
class EndChecks {
 public:
  EndChecks(dynamo::testing::SimCluster& cluster, Ghosts& ghosts, const Members& members,
            Findings& findings, const SeedOptions& options)
      : cluster_(cluster),
        ghosts_(ghosts),
        members_(members),
        findings_(findings),
        options_(options) {}

  // C2 and C3. REQUIRES: the cluster has converged, and no client is at work.
  void check_records();
  // C8, of what converged() does not look at.
  void check_trees();
  // C1 and C3 by way of a get at every node.
  void check_gets();
  // How many records are left that hold nothing but deletes, or have expired.
  int deletes_left();
  // C7: what has been acknowledged lately is on enough disks. `lost`: disks since then, at most.
  void check_disks(int lost);
  // C7: what has been acknowledged is with those who own the partition alone now. REQUIRES: no disk
  // was lost.
  void check_moved(int partition, const std::vector<int>& owners);

 private:
  void check_key(int key, const std::vector<dynamo::core::StoredVersion>& versions);
  void check_kept(int key, const Write& write, const Bits& covered,
                  const std::vector<dynamo::core::StoredVersion>& versions);
  void check_moved_key(int key, const std::vector<int>& owners);
  int disks_with(const Write& write, const std::string& engine_key, const std::vector<int>& nodes);

  dynamo::testing::SimCluster& cluster_;
  Ghosts& ghosts_;
  const Members& members_;
  Findings& findings_;
  const SeedOptions& options_;
  int checked_on_disk_ = 0;  // writes up to here
};

}  // namespace seeds

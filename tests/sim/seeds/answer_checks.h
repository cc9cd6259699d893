#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <dynamo/store.h>
#include <dynamo/testing/sim_cluster.h>

#include "findings.h"
#include "ghosts.h"
#include "members.h"
#include "record_checks.h"
#include "seed_options.h"

// C1, C3, C4, C7, C12, C13: what clients are told.
//
//   C1   P7, P11  a get shows what was written there, each write once, and says "absent" only if r
//                 owners did
//   C3   P6       reads that must be regular do not show what was replaced before they began
//   C4   P8       the context of a get covers what it shows and nothing else that is alive; that of
//   a
//                 put what it was given, and the put
//   C7   P1       an acknowledgement names w nodes, and they have the write on their disks
//   C12  P9       no more siblings than the store allows, but for those that a merge brings
//   together C13  P10      at_least is covered; regular reads cover what was acknowledged before
//   they began
namespace seeds {

// A get, as its client began it.
struct Asked {
  int key = 0;
  Bits acknowledged{};   // by then
  Bits replaced_dots{};  // by then
  bool regular = false;
  std::optional<Seen> at_least{};
  dynamo::Context at_least_context{};
};

// Thread safety: one thread.
class AnswerChecks {
 public:
  AnswerChecks(dynamo::testing::SimCluster& cluster, Ghosts& ghosts, const Members& members,
               Findings& findings, const SeedOptions& options)
      : cluster_(cluster),
        ghosts_(ghosts),
        members_(members),
        findings_(findings),
        options_(options) {}

  Asked ask(int key) const;
  // Returns what the client has seen now.
  Seen got(const Asked& asked, const dynamo::GetResult& result);
  void failed(const Asked& asked, const absl::Status& status);
  // Of a put that was acknowledged; `given`: the context that it passed.
  void put(const Write& write, const dynamo::Context& given, const dynamo::PutResult& result);
  void put_failed(const Write& write, const absl::Status& status);
  // At least w of those that took it belong to the cluster. A member that was removed by force
  // counts as a lost disk (P12), also while it has not heard of it: what it takes meanwhile is lost
  // with it (seeds 790927, 830000).
  bool is_taken_by_members(const dynamo::PutResult& result);

  // From now on no read need be regular.
  void disk_lost(int node);

 private:
  void check_shown(const Asked& asked, const dynamo::GetResult& result);
  void check_context(const Asked& asked, const dynamo::GetResult& result, const Seen& seen);
  void check_covered(const Asked& asked, const dynamo::GetResult& result, const Seen& seen);
  void check_durable(const Write& write, const dynamo::PutResult& result);
  bool counts(const dynamo::ReplicaReport& report) const;
  bool lost_since(const std::string& node, std::chrono::nanoseconds time) const;
  bool covers(int key, std::size_t place, const dynamo::GetResult& result, const Seen& seen) const;

  dynamo::testing::SimCluster& cluster_;
  Ghosts& ghosts_;
  const Members& members_;
  Findings& findings_;
  const SeedOptions& options_;
  bool disks_lost_ = false;
  std::map<std::string, std::chrono::nanoseconds> lost_at_;  // by node
};

}  // namespace seeds

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/outcome.h>

namespace dynamo::core {

// Who of the replicas asked has said what. Answers are counted by node (trap D1).
//
// Thread safety: one thread at a time.
class ReplicaTally {
 public:
  using Answer = ReplicaReport::Answer;

  using Role = ReplicaReport::Role;

  // `owners`: asked from the start.
  explicit ReplicaTally(std::span<const std::string> owners);

  // One more is asked. Nothing happens if it was already.
  void add(std::string_view node, Role role);
  // Null if the node was not asked.
  const ReplicaReport* find(std::string_view node) const;

  // Notes an answer, and returns whether it is news: the first from that node, or a better one
  // (synced after stored, anything after unreachable).
  bool note(std::string_view node, Answer answer, std::string reason = {});
  // A node that had the write in memory has failed to sync it, and no longer has it.
  void retract(std::string_view node, std::string reason);
  int count(Answer answer) const;
  int count(Answer answer, Role role) const;
  // Asked, and neither answered nor given up.
  int waiting() const { return count(Answer::no_answer); }
  const std::vector<ReplicaReport>& reports() const { return reports_; }

 private:
  std::vector<ReplicaReport> reports_;  // in the order asked
};

}  // namespace dynamo::core

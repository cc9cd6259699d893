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

  explicit ReplicaTally(std::span<const std::string> nodes);

  // Notes an answer, and returns whether it is news: the first from that node, or a better one
  // (synced after stored, anything after unreachable).
  bool note(std::string_view node, Answer answer, std::string reason = {});
  // A node that had the write in memory has failed to sync it, and no longer has it.
  void retract(std::string_view node, std::string reason);
  int count(Answer answer) const;
  // Asked, and neither answered nor given up.
  int waiting() const { return count(Answer::no_answer); }
  const std::vector<ReplicaReport>& reports() const { return reports_; }

 private:
  std::vector<ReplicaReport> reports_;
};

}  // namespace dynamo::core

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/membership.h>

#include "testing/sim_wires.h"

namespace dynamo::testing {

// The membership of simulated clusters: numbered views, decided for all nodes in one place, and
// heard of by each in its own time. A change is decided if whoever asks reaches a majority of the
// members; a view spreads from node to node where the network lets it. What it takes a real
// membership many messages to do is here one step, so that a run is about what nodes do with views.
//
// It begins with all nodes in view 1, as fixed_membership() does; a node that is no member asks to
// join when it is started.
//
// Thread safety: one thread.
class SimViews {
 public:
  SimViews(std::shared_ptr<SimWires> wires, std::vector<Member> members, int partitions,
           std::uint64_t seed);

  // That of one node.
  static std::unique_ptr<Membership> membership(std::shared_ptr<SimViews> views);

  const View& latest() const { return views_.back(); }

 private:
  class Handle;

  absl::Status change(const std::string& asker, const Change& change);
  bool reaches_majority(const std::string& asker) const;
  bool connected(const std::string& a, const std::string& b) const;
  absl::Status decide(std::span<const Change> changes);
  void finish_moves();
  // What that node knows after another while; null if it is nothing new.
  const View* hear(const std::string& node, std::uint64_t ticks);

  const std::shared_ptr<SimWires> wires_;
  const int partitions_;
  const std::uint64_t seed_;
  std::vector<View> views_;                     // all there have been
  std::map<std::string, std::size_t> knows_{};  // by node: the index of its view
  std::vector<Change> finished_;                // moves to be taken out by the next view
};

}  // namespace dynamo::testing

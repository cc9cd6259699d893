#pragma once

#include <memory>
#include <string>
#include <vector>

#include <dynamo/node.h>
#include <dynamo/testing/sim_cluster.h>

#include "testing/sim_context.h"
#include "testing/sim_environment.h"
#include "testing/sim_network.h"

namespace dynamo::testing {

// The inside of a SimCluster, for the project's own tests too.
//
// Thread safety: one thread.
class SimWorld {
 public:
  explicit SimWorld(SimOptions options);
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  std::vector<Node>& nodes() { return nodes_; }
  SimContext& context() { return *context_; }
  SimNetwork& network() { return *network_; }
  SimEnvironment& environment(int node) {
    return *environments_.at(static_cast<std::size_t>(node));
  }

  // Throws std::logic_error inside an event: time does not pass within a moment.
  void run_until(absl::FunctionRef<bool()> done, core::TimePoint limit);

  // "a" to "z", "aa", "ab", ...: name and address of node `index`.
  static std::string name_of(int index);

 private:
  void start_node(int index, const SimOptions& options, const std::vector<Member>& members);

  const std::shared_ptr<SimContext> context_ = std::make_shared<SimContext>();
  const std::shared_ptr<SimNetwork> network_ = std::make_shared<SimNetwork>(context_);
  std::vector<SimEnvironment*> environments_;  // of the nodes, which own them
  std::vector<Node> nodes_;
};

}  // namespace dynamo::testing

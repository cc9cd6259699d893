#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "command.h"
#include "conversation.h"

namespace scenario {

// The cluster of one scenario, and what its commands do:
//
//   cluster nodes=(a b c) [n= r= w= timeout= reconciler=last_write_wins durability=buffered]
//           [keys=(cart ...)]
//       starts a cluster and opens the store "carts" on all nodes; prints who owns the keys
//   open at=a store=NAME [n= r= w= timeout= reconciler= durability=]
//   put at=a key=cart object=book [context=NAME] [as=NAME] [id=NAME] [w=2] [store=NAME]
//   erase at=a key=cart [the same]
//   get at=a key=cart [as=NAME] [r=2] [store=NAME]
//       `as` keeps the context of the answer under a name, `context` uses it. Always there: `none`,
//       the default, and `last`, of the answer before. Puts of the same id are one write.
//   converge at=a [timeout=5s]
//       waits until all owners of everything are equal, as Node::await_converged()
//   down c, up c        takes a node off the network, and puts it back
//   clock c -300ms      sets a wall clock ahead or back
//   advance 10s
//
// put, erase and get wait for the answer and then for what is still under way. Each command prints
// the messages that it caused, and the answer when it is there.
class Stage {
 public:
  // Throws std::runtime_error if the command makes no sense.
  std::vector<std::string> run(const std::string& line);

 private:
  void start(Command& command);
  void open(Command& command);
  void put(Command& command, bool erase);
  void get(Command& command);
  void converge(Command& command);
  void network(const Command& command, bool connect);
  void clock(const Command& command);
  void advance(const Command& command);

  dynamo::testing::SimCluster& cluster(const Command& command);
  int node_at(const Command& command, const std::string& name);
  const dynamo::Store& store_of(Command& command, const std::string& node);
  std::string owners(const std::string& key);
  dynamo::Context context_of(Command& command);
  void keep_context(Command& command, const dynamo::Context& context);
  void print_answer(const std::string& who, const std::string& answer,
                    const std::optional<dynamo::Outcome>& outcome);

  std::vector<std::string> output_;
  Conversation conversation_;
  std::optional<dynamo::testing::SimCluster> cluster_;
  std::map<std::pair<std::string, std::string>, dynamo::Store> stores_;  // by node and name
  std::map<std::string, dynamo::Context> contexts_;
  std::map<std::string, dynamo::WriteId> ids_;
};

}  // namespace scenario

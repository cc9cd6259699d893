#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <dynamo/node.h>
#include <dynamo/store.h>
#include <asio/any_io_executor.hpp>

// A whole cluster inside one test. The target dynamo::testing holds it; it belongs to no test
// framework.
//
//   dynamo::testing::SimCluster cluster({.nodes = 3});
//   auto writer = cluster.open(0, "carts");
//   auto reader = cluster.open(2, "carts");
//   writer->put("user:42", dynamo::Context(), "book");   // blocks, in virtual time
//   auto cart = reader->get("user:42");
namespace dynamo::testing {

class SimWorld;

// What a simulated cluster is made of.
struct SimOptions {
  // How many nodes, 1 or more. They are named "a", "b", ..., "z", "aa", "ab" and so on.
  int nodes = 5;
  // Of everything that is left to chance: identities, write ids, actors.
  std::uint64_t seed = 1;
  // Template for every node. The simulator fills in the name; listen, advertise and data_dir are
  // not used.
  NodeOptions node{};
  // The zone of node i is zones[i % size]; none: the template's.
  std::vector<std::string> zones{};
  // The application's own parts for node i. Each part that is left empty gets the simulator's: a
  // network that loses nothing, fixed_membership() of all nodes, memory_storage(). A node's address
  // is its name; a transport or membership of the application's own has to agree with that.
  // `executor` must stay empty: everything runs on SimCluster::executor().
  std::function<Components(int node)> components{};
};

// A cluster in one thread on virtual time: real nodes and real stores, the code that production
// runs, over a simulated network, clock and scheduler. For the application's own tests.
//
// Time stands still but while a blocking call waits, and in run_for() and run_until(); then it
// jumps from one event to the next, so that a timeout of an hour takes no time. Nothing in here
// reads a real clock, starts a thread or opens a socket. The same seed and the same calls give the
// same run, byte for byte (for one version of asio: another may order handlers differently).
//
// The network is perfect: every packet arrives once, in order, 100 us after it was sent. Steady
// clocks show now(); all wall clocks start at midnight UTC of 14 October 2007.
//
// Blocking calls on stores and nodes advance time until they are done. In a handler, a coroutine or
// anything else that the simulator itself runs they return FAILED_PRECONDITION; use the async form
// there. Handlers run in run_for(), run_until(), and while a blocking call waits.
//
// The destructor stops all nodes; handlers and coroutines that have not run by then are destroyed
// without running. Stores may outlive the cluster and answer FAILED_PRECONDITION from then on.
//
// Thread safety: one thread.
class SimCluster {
 public:
  // Starts all nodes, at time 0; each knows its first view. Throws std::invalid_argument, saying
  // why, if the options are out of range or a node refuses to start.
  explicit SimCluster(SimOptions options = {});
  ~SimCluster();
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  int size() const;
  // As Node::open() on node `node`. INVALID_ARGUMENT if there is no such node.
  absl::StatusOr<Store> open(int node, std::string name, StoreOptions options = {});
  // Node `i`, valid as long as the cluster. Throws std::out_of_range if there is no such node.
  Node& node(int i);

  // Runs handlers and coroutines in virtual time. Do not make asio timers or sockets on it: they
  // start a thread of their own and run on real time. REQUIRES: not used after the cluster is gone.
  asio::any_io_executor executor();

  // Lets `duration` pass. Throws std::logic_error inside a handler; so does run_until().
  void run_for(std::chrono::nanoseconds duration);
  // Lets time pass until `done` says so, at most `limit`; returns what `done` said last. It is
  // asked before anything happens and after each event, and may make blocking calls.
  bool run_until(absl::FunctionRef<bool()> done, std::chrono::nanoseconds limit);
  // Virtual time since the start.
  std::chrono::nanoseconds now() const;

  // For the library itself.
  SimWorld& world() { return *world_; }

 private:
  std::unique_ptr<SimWorld> world_;
};

}  // namespace dynamo::testing

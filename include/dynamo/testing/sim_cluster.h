#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
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

// What the network does to packets. Without any of it, every packet arrives once, in order, 100 us
// after it was sent. The rates are probabilities from 0 to 1, drawn for each packet by itself.
struct SimNetwork {
  // Each packet takes latency_min at least and latency_mean in the mean, exponentially distributed
  // between; equal: always the same. 0 to 1 hour, the minimum not above the mean.
  std::chrono::nanoseconds latency_min = std::chrono::microseconds(100);
  std::chrono::nanoseconds latency_mean = std::chrono::microseconds(100);
  double loss = 0;         // it never arrives
  double duplication = 0;  // it arrives twice
  double reordering = 0;   // later ones overtake it; else packets keep their order
  double replay = 0;       // an old packet of the same two nodes arrives once more, before it

  // INVALID_ARGUMENT with the field, its value and its limit, for the first field out of range.
  absl::Status validate() const;
};

// What the disks do. Without any of it, every commit succeeds.
struct SimDisk {
  // What a commit takes in the mean, half of it at least and one and a half times at most. 0 to 1
  // minute.
  std::chrono::nanoseconds write_latency = std::chrono::microseconds(300);
  // That a commit fails with RESOURCE_EXHAUSTED: nothing was written. A node that starts is spared.
  double write_error = 0;
  // That a commit leaves one flipped bit in some stored record, which the record's checksum finds.
  // What all replicas have lost is lost, so keep it well below one in the number of writes.
  double bit_rot = 0;
  // That power_loss() tears the batch that is being written. An engine keeps a batch whole, so a
  // torn one is not there at all; one that is not torn is, though nobody was told.
  double torn = 1;

  // As SimNetwork::validate().
  absl::Status validate() const;
};

// All that a node has on its disk, by the engine's keys.
struct DiskImage {
  std::map<std::string, std::string> records{};
};

// What a simulated cluster is made of.
struct SimOptions {
  // How many nodes, 1 or more. They are named "a", "b", ..., "z", "aa", "ab" and so on.
  int nodes = 5;
  // Of everything that is left to chance: identities, write ids, actors, and every fault that has a
  // rate.
  std::uint64_t seed = 1;
  // Template for every node. The simulator fills in the name; listen, advertise and data_dir are
  // not used.
  NodeOptions node{};
  // The zone of node i is zones[i % size]; none: the template's.
  std::vector<std::string> zones{};
  // And its NodeOptions::threads is threads[i % size]; none: the template's. They take turns here,
  // so what is found is the same every time.
  std::vector<int> threads{};
  SimNetwork network{};
  SimDisk disk{};
  // Steady clocks run that much too fast or too slow at most, each by its own share. 0 to 0.01.
  double clock_drift = 0;
  // The application's own parts for node i, asked for at each start of it. Each part that is left
  // empty gets its default: the simulator's network and disk, and gossip_membership() with the
  // nodes there are as seeds. A node's address is its name; a transport or membership of the
  // application's own has to agree with that. The network's faults do not reach a transport of the
  // application's own; an engine of its own takes the disk's time and errors, keeps its own data,
  // and has no wipe(), disk_of() or restore_disk(). `executor` must stay empty: everything runs on
  // SimCluster::executor().
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
// Steady clocks show now(), unless clock_drift is set; all wall clocks start at midnight UTC of 14
// October 2007. A start of a node takes no time.
//
// Faults are the caller's: crash(), partition() and the others do what they say at once, in any
// order, also inside handlers. They cost nothing but what they say: a node that is down keeps its
// disk, and whatever is under way elsewhere goes on.
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

  // Those that have left or were removed too.
  int size() const;
  // A new node joins: it is started, asks to become a member, and gets its share of the data while
  // the cluster goes on. Returns its index. Made of the same template as the others; a cluster
  // whose `components` bring a membership of their own decides by that. Throws std::runtime_error
  // with the node's error if it does not start.
  int add();
  // As Node::open() on node `node`. INVALID_ARGUMENT if there is no such node, FAILED_PRECONDITION
  // if it is down.
  absl::StatusOr<Store> open(int node, std::string name, StoreOptions options = {});
  // Node `i`, valid until it crashes or is restarted. Throws std::logic_error if it is down. This
  // and all that take a node throw std::out_of_range if there is no such node.
  Node& node(int i);
  // Whether it runs, or is paused.
  bool is_up(int node) const;

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

  // The process is killed. What it was asked for ends with CANCELLED, whether it has happened or
  // not; its stores answer FAILED_PRECONDITION for good, and node() throws until it is restarted.
  // What it had in memory is gone: buffered writes with it. The batch that is being written is
  // there afterwards or not. Nothing happens if it is down already.
  void crash(int node);
  // The same, but the batch that is being written is lost if SimDisk::torn says so.
  void power_loss(int node);
  // Starts the node again from its disk, as a new process: its stores have to be opened again. If
  // it is up, it is stopped cleanly first. Throws std::runtime_error with the node's error if it
  // does not start; it is down then.
  void restart(int node);
  // Crashes the node and erases its disk.
  void wipe(int node);

  // The process stands still, as under SIGSTOP: it neither sends nor times out, and up to 1 MiB of
  // packets waits for it. Clocks go on, and blocking calls on its stores end with
  // DEADLINE_EXCEEDED. Nothing happens if it is down.
  void pause(int node);
  void resume(int node);

  // From now on only nodes that some group names together reach each other. Nodes that no group
  // names are one more group; a node in two groups is a bridge. Ends an earlier partition; packets
  // that are under way between the sides are lost.
  void partition(std::vector<std::vector<int>> groups);
  // Nothing that `from` sends reaches `to`; the other way is as it was.
  void cut(int from, int to);
  // Ends all partitions and cuts. Who is down or paused stays so.
  void heal();

  // Sets the wall clock forward, or back, also across restarts. Steady clocks never jump.
  void shift_clock(int node, std::chrono::nanoseconds by);

  // What is on the node's disk now: for restore_disk(), as a backup is taken.
  DiskImage disk_of(int node) const;
  // Crashes the node and gives it that disk instead: an older copy of its own, or another node's.
  void restore_disk(int node, const DiskImage& image);

  // Every key has the same versions on all its owners, byte for byte, no node holds a hint, and no
  // partition is moving. Nodes that are down count by what is on their disks. False if all are
  // down, or a record is damaged.
  bool converged();

  // A hash of every packet, write and answer so far, with their times. Equal for equal seeds and
  // calls, whatever compiled the library.
  std::uint64_t trace_hash() const;

  // For the library itself.
  SimWorld& world() { return *world_; }

 private:
  std::unique_ptr<SimWorld> world_;
};

}  // namespace dynamo::testing

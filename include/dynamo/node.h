#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/detail/erased_handler.h>
#include <dynamo/export.h>
#include <dynamo/log.h>
#include <dynamo/membership.h>
#include <dynamo/stats.h>
#include <dynamo/status.h>
#include <dynamo/storage_engine.h>
#include <dynamo/store.h>
#include <dynamo/transport.h>
#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

namespace dynamo {

namespace host {
class Host;
}

// The settings of a node: plain data. Parts that do something are in Components.
struct NodeOptions {
  // A label; nodes with another one refuse each other. 1 to 255 bytes.
  std::string cluster = "dynamo";
  // Unique in the cluster: the slot in the ring. Required, 1 to 255 bytes.
  std::string name{};
  // "host:port"; port 0 picks one. Required with the built-in TCP transport, unused with another.
  std::string listen{};
  // What peers dial; default: the bound address.
  std::string advertise{};
  // Whom to ask for a cluster: "host:port" or DNS names, which may stand for several nodes. The
  // same list on every node works. Empty: this node founds a cluster, if it has no data of one.
  // For gossip_membership(); another membership has its own ways.
  std::vector<std::string> seeds{};
  // Where the node keeps its data, made with mode 0700 if it is missing; one node per directory.
  // Required with the built-in LMDB engine, unused with another.
  std::filesystem::path data_dir{};
  // Rack, machine or data centre; replicas spread over zones. With fixed_membership() the list's
  // entry counts.
  std::string zone{};
  // Share of the ring relative to the others, 0 or more; 0 owns nothing and only coordinates. With
  // fixed_membership() the list's entry counts.
  double weight = 1.0;
  // Q of the paper's strategy 3: a power of two from 8 to 65,536, the same on all nodes, fixed for
  // the life of the cluster. 100 or more a node keep the ring even; more cost memory and status,
  // not speed.
  int partitions = 256;
  // Event loops, when the library owns its threads: 1 to 32, and no more than 1 with an executor.
  // Each serves its share of the partitions on a thread of its own. One carries some hundred
  // thousand requests a second and costs the least for each; more are for nodes that need more than
  // one processor.
  int threads = 1;
  // Writes under Durability::buffered are synced within it: a commit begins after half of it, and
  // has the other half. 1 ms to 1 h. Longer: rewrites of a hot key cost less disk, a crash of all
  // its replicas at once costs more.
  std::chrono::milliseconds flush_interval{1000};
  // Records that wait for the disk, in bytes. Beyond it puts wait until their timeout, then are
  // refused with RESOURCE_EXHAUSTED. 1 MiB or more.
  std::size_t buffer_bytes_max = std::size_t{64} << 20;
  // Writes that this node keeps for owners that cannot be reached, in bytes. Beyond it, it refuses
  // to stand in; what it has accepted is never dropped. 0: it never stands in.
  std::size_t hint_bytes_max = std::size_t{1} << 30;
  // Requests in flight that were asked of this node; beyond it RESOURCE_EXHAUSTED, at once, on the
  // thread that asks. In overload, which is when as many were in flight and requests wait for their
  // turn, the node lets in fewer, so that these take about as long as they do otherwise; until then
  // each waits for all before it. So: what the node can do in the time that is worth waiting for. 1
  // to 1,048,576.
  int requests_max = 16384;
  // Authenticates contexts that leave trusted processes, with HMAC-SHA256: the same on every node,
  // best 32 random bytes. Contexts encoded here then carry a MAC, and a decoded one without the
  // right MAC is refused with INVALID_ARGUMENT by the put that uses it. Empty: contexts are not
  // authenticated. Needs a library built with libcrypto.
  std::string context_secret{};
  // Needed to listen on an address that is not loopback: the TCP transport neither encrypts nor
  // authenticates.
  bool allow_plaintext = false;
  // Opens a data directory that peers refuse, because it is a restored backup or a copy, as a new
  // node under the same name: it is emptied, takes a new identity, and fetches what it owns from
  // the other owners, as after a lost disk. What only this directory held is lost, hints for others
  // included. Peers take the new identity in once the old one is silent. For one start: a directory
  // that was adopted is adopted again only if it is refused again.
  bool adopt_as_new = false;
  // Accepted as well, to change the secret without refusing anybody: first add the new one here on
  // every node, then make it context_secret and keep the old one here, and drop the old one once no
  // context of its time is left. At most 8, none empty.
  std::vector<std::string> context_secrets_accepted{};
  // Bytes a second that this node sends in the background: records that owners lack, partitions
  // that move, hints on their way home. 0: no limit. The background yields to requests in any case:
  // when they take longer than they do without it, it makes longer pauses.
  std::size_t background_bytes_per_second = 0;
  // Memory for records that were read or written last, so that the next operation on them does
  // without the engine; 0: none. Objects of more than about 4 KB are not kept. What has rotted on
  // the disk meanwhile is found when the disk is read: by the scrub, or after a restart.
  std::size_t record_cache_bytes = std::size_t{32} << 20;

  // INVALID_ARGUMENT with the field, its value and its limit, for the first field out of range.
  DYNAMO_EXPORT absl::Status validate() const;
};

// The parts of a node. Anything left empty gets the default named here.
struct Components {
  std::unique_ptr<Transport> transport{};    // tcp_transport
  std::unique_ptr<Membership> membership{};  // gossip_membership
  std::unique_ptr<StorageEngine> storage{};  // lmdb_storage in data_dir
  // Runs the node on the application's threads instead of the library's own (one loop, one for
  // handlers); the flusher keeps its thread, because a commit blocks. Sockets and timers run there
  // too if it belongs to an asio::io_context, else on a thread of the library's. One that was made
  // for one thread (concurrency hint 1) costs less, and is to be run by one at a time.
  asio::any_io_executor executor{};
  std::function<void(const LogRecord&)> log{};  // silent without it
};

// This process's place in the ring: one address, one data directory, one identity.
//
// A process may run several nodes, each with its own directory and port. The node never exits or
// aborts the process, never forks, installs no signal handler, and prints nothing.
//
// Thread safety: all methods from any thread, several at once, but for moving and destruction.
class DYNAMO_EXPORT Node {
 public:
  // Opens the engine, binds, returns; the peers may be up or not. Finding a cluster, or founding
  // one, and joining it go on in the background (see gossip_membership()): requests wait for the
  // first view until their timeout, and status() says what is waited for. Errors:
  //   INVALID_ARGUMENT     NodeOptions::validate(), or the membership's own check of its list
  //   FAILED_PRECONDITION  the data directory is open already, belongs to another cluster or node,
  //                        has left its cluster, or is an older copy that peers have refused;
  //                        Q differs from the one it was made with
  //   UNAVAILABLE          the listen address cannot be bound (in use, not of this machine)
  //   DATA_LOSS, RESOURCE_EXHAUSTED, INTERNAL  from the engine
  static absl::StatusOr<Node> start(NodeOptions options, Components components = {});

  // Opens a store for use from this process. Members keep replicas of every store, opened there or
  // not. Opening a name again gives another handle, with its own policy. INVALID_ARGUMENT for
  // options out of range; FAILED_PRECONDITION if n or last_write_wins differ from the store's
  // facts, or the node has stopped.
  absl::StatusOr<Store> open(std::string name, StoreOptions options = {});

  // The address that peers dial.
  std::string address() const;
  // Members, who of them answers, what falls short.
  ClusterStatus status() const;
  // Counts and latencies of this node's own requests.
  Stats stats() const;
  // The owners of each partition in the current view; no partitions before the first view.
  RingView ring() const;

  // Waits until every write that any member had before this call is on all owners of its key:
  // hints are delivered (paper, 4.6), partitions are compared by their Merkle trees, and what
  // differs is repaired (4.7), as in the background every few minutes. Needs all members, stand-ins
  // too. Blocks. `deadline`: from now, 1 ms to 1 h. Errors:
  //   DEADLINE_EXCEEDED    not done by then; names the members that could not be reached, or what
  //                        the others were waiting for
  //   INVALID_ARGUMENT     `deadline` out of range
  //   FAILED_PRECONDITION  the node has stopped, is out of service, or this is one of its own
  //                        threads
  //   CANCELLED            the node was stopped meanwhile
  absl::Status await_converged(std::chrono::milliseconds deadline);

  // As await_converged(), without blocking the caller. Handler: void(absl::Status).
  //
  // The handler never runs inside this call, but on its own executor, or the node's if it has none.
  // Cancellation ends it with CANCELLED. The node may be destroyed meanwhile, which cancels it too.
  template <class Token>
  auto async_await_converged(std::chrono::milliseconds deadline, Token&& token) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<host::Host> host, std::chrono::milliseconds wait) {
          const asio::any_io_executor executor = handler_executor(*host);
          start_converge(std::move(host), wait,
                         detail::erase_handler<absl::Status>(std::move(handler), executor));
        },
        token, host_, deadline);
  }

  // Prepares for a stop that nobody notices, as in a rolling restart: refuses new requests of this
  // process with FAILED_PRECONDITION, lets those under way end, syncs all that was acknowledged,
  // and delivers the hints that can be delivered; those for members who cannot be reached are kept
  // on the disk. The node goes on as a replica until it is stopped, and coordinates nothing more.
  // Blocks. `deadline`: from now, 1 ms to 1 h. Errors: as await_converged(); after
  // DEADLINE_EXCEEDED, which names what is left, it goes on draining.
  absl::Status drain(std::chrono::milliseconds deadline);

  // Leaves the cluster for good: what this node owns moves to the others, hints that it keeps are
  // delivered, then it is out of service, and its data directory is of no use to any cluster any
  // more. The node serves until then. Blocks. `deadline`: from now, 1 ms to 1 h; after
  // DEADLINE_EXCEEDED, which names what is left, it goes on leaving. Other errors: as
  // await_converged(). With a membership that never changes, it only ever waits.
  absl::Status leave(std::chrono::milliseconds deadline);

  // Declares a member gone for good that will not come back, and whose data are lost: the others
  // take over what it owned, from each other. Returns once a view says so; status() shows how far
  // they are. Blocks, for ten seconds at most. Errors: FAILED_PRECONDITION if there is no such
  // member, if it can be reached (let it leave), or if this membership does not decide that;
  // UNAVAILABLE if it was not decided in that time, because too few members have answered; it may
  // still be. `force`: for a cluster of two, whose other half is gone and can give no vote: the
  // others decide without it, and it need not be found silent. Two that remove each other so are
  // two clusters from then on.
  absl::Status remove(const std::string& name, bool force = false);

  // Whether every partition keeps a write quorum (more than half of its owners, of each store)
  // among the other members that can be reached. Ask before a restart.
  bool can_stop() const;

  // As drain() and leave(), without blocking the caller. Handler: void(absl::Status), as in
  // async_await_converged(). Cancellation ends the waiting, not what was begun.
  template <class Token>
  auto async_drain(std::chrono::milliseconds deadline, Token&& token) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<host::Host> host, std::chrono::milliseconds wait) {
          const asio::any_io_executor executor = handler_executor(*host);
          start_drain(std::move(host), wait,
                      detail::erase_handler<absl::Status>(std::move(handler), executor));
        },
        token, host_, deadline);
  }
  template <class Token>
  auto async_leave(std::chrono::milliseconds deadline, Token&& token) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<host::Host> host, std::chrono::milliseconds wait) {
          const asio::any_io_executor executor = handler_executor(*host);
          start_leave(std::move(host), wait,
                      detail::erase_handler<absl::Status>(std::move(handler), executor));
        },
        token, host_, deadline);
  }

  // Ends all requests with CANCELLED, syncs what was acknowledged, closes all sockets and the
  // engine. The data directory can be opened again once this returns. Idempotent; the destructor
  // calls it. Never waits for the application's executor. Stores that are still held answer
  // FAILED_PRECONDITION from then on.
  void stop();

  // As stop(), without blocking the caller: for an application that lends its only thread. Handler:
  // void(), once the data directory can be opened again.
  //
  // The handler never runs inside this call, but on its own executor, which is kept busy until
  // then; if it has none, on a thread that does the stopping and ends with it. Cannot be cancelled.
  // The node may be destroyed meanwhile: on a thread that it was lent, its destructor then does not
  // wait for the stop; the handler still comes. On a node that has stopped, it comes soon.
  template <class Token>
  auto async_stop(Token&& token) {
    return asio::async_initiate<Token, void()>(
        [](auto handler, std::shared_ptr<host::Host> host) {
          const asio::any_io_executor executor = stopping_executor(*host);
          start_stop(std::move(host), executor,
                     detail::erase_handler<void>(std::move(handler), executor));
        },
        token, host_);
  }

  Node(Node&&) noexcept;
  Node& operator=(Node&&) noexcept;
  ~Node();

  // For the library itself.
  explicit Node(std::shared_ptr<host::Host> host);

 private:
  static asio::any_io_executor handler_executor(host::Host& host);
  static void start_converge(std::shared_ptr<host::Host> host, std::chrono::milliseconds deadline,
                             detail::ErasedHandler<absl::Status> handler);
  static void start_drain(std::shared_ptr<host::Host> host, std::chrono::milliseconds deadline,
                          detail::ErasedHandler<absl::Status> handler);
  static void start_leave(std::shared_ptr<host::Host> host, std::chrono::milliseconds deadline,
                          detail::ErasedHandler<absl::Status> handler);
  static asio::any_io_executor stopping_executor(host::Host& host);
  static void start_stop(std::shared_ptr<host::Host> host, const asio::any_io_executor& executor,
                         detail::ErasedHandler<void> handler);

  std::shared_ptr<host::Host> host_;  // shared with the stores, which may outlive the node
};

}  // namespace dynamo

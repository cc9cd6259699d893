#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <absl/status/status.h>

#include "base/mutant.h"
#include "node/anti_entropy.h"
#include "node/departure.h"
#include "node/event.h"
#include "node/generations.h"
#include "node/get_requests.h"
#include "node/handoff.h"
#include "node/node_state.h"
#include "node/put_coordinator.h"
#include "node/put_requests.h"
#include "node/replica.h"
#include "node/replica_service.h"
#include "node/views.h"
#include "wire/packet.h"

namespace dynamo::core {

// A Dynamo node without its I/O: events in, actions out. The runtime and the simulator drive the
// same machine.
//
// It is a router. What arrives goes to the part that knows what to do:
//
//   ClientGet  ------------------> GetRequests        ReadRequest, WriteRequest --> ReplicaService
//   ClientPut  --> PutRequests --> PutCoordinator <--------------- PutForward (a peer's put)
//   BatchWritten, WriteFailed ---> PutCoordinator, ReplicaService, Handoff
//   ClientWait, exchanges ---> AntiEntropy, Generations
//   Tick ------------------------> deadlines, FailureDetector, Handoff
//
// A turn is one or more step() calls and one end_turn(), which seals the messages of all of them
// into one packet per peer. The host must, in this order, put the writes into its object buffer,
// then send packets and complete requests. The writes of one step must be readable through `own`
// before the next.
//
// Thread safety: one thread at a time.
class Machine {
 public:
  Machine(NodeIdentity identity, NodeSettings settings);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // A record that the engine held at start, of kind view, generation, peer, store or hint, in this
  // order of kinds. DATA_LOSS if it is damaged.
  absl::Status restore(std::string_view key, std::string_view record);

  // The directory has been made part of a cluster. Before the first step only.
  void set_cluster_of_directory(const Identity& cluster) { state_.self.cluster = cluster; }

  // Reacts to one event. Appends to `out`.
  void step(const Now& now, Event&& event, const RecordReader& own, Actions& out);
  void end_turn(const Now& now, Actions& out);

  // A step with this event comes soon. bring() has what is expected of `own` and of the machine
  // itself near the processor by then; of all together, for memory answers many at once.
  void expect(const Event& event);
  void bring(const RecordReader& own);

  // Opens a store here. FAILED_PRECONDITION if its facts differ or the node is out of service.
  absl::Status open_store(const StoreFacts& facts, Actions& out);

  // When a Tick is due if nothing happens before.
  // A request of the application, begun by an event, took so long.
  void note_latency(TimePoint now, TimePoint took) { state_.background.foreground(now, took); }
  TimePoint next_tick() const;

  // What the host and its handles may show.
  const NodeState& state() const { return state_; }

 private:
  void on(const Turn& turn, ClientGet get);
  void on(const Turn& turn, ClientPut put);
  void on(const Turn& turn, const ClientWait& converge);
  void on(const Turn& turn, const ClientChange& change);
  void on(const Turn& turn, const Cancel& cancel);
  void on(const Turn& turn, PacketReceived received);
  void on(const Turn& turn, const BatchWritten& written);
  void on(const Turn& turn, const WriteFailed& failed);
  void on(const Turn& turn, ViewChanged changed);
  void on(const Turn& turn, const MembershipSends& sends);
  void on(const Turn& turn, const Tick&);

  void hear_view(const Turn& turn, Packet& packet);
  void adopt(const Turn& turn, View view);
  void join_cluster(const Turn& turn);
  void note_own_end(const Turn& turn);
  void seal_messages(const Now& now, Actions& out);
  void take(const Turn& turn, const PacketReceived& received, Packet& packet);
  void expect(const Message& message);
  void expect_read(const auto& request) { expect_in(expected_reads_, request); }
  void expect_write(const auto& request) { expect_in(expected_writes_, request); }
  void expect_in(std::vector<ObjectKey>& expected, const auto& request) {
    expected.push_back(state_.place(request.store.name, request.key));
    if (state_.ring != nullptr) state_.ring->prefetch(expected.back().hash);
  }
  void catch_up(const Turn& turn, const std::string& from);
  bool counts_here(const Turn& turn) const {
    return turn.peer_view == state_.view.number || mutated(Mutant::answers_of_other_views);
  }
  // Whoever sent this has not heard of this node's view.
  bool is_behind(const Turn& turn) const { return turn.peer_view < state_.view.number; }
  void hear_refusals(const Turn& turn, const Packet& packet);
  void on_message(const Turn& turn, const std::string& from, Message&& message);
  void on_forward(const Turn& turn, const std::string& from, PutForward forward);
  void on_announce(const Turn& turn, const StoreAnnounce& announce);
  void on_boot_refused(const Turn& turn, const std::string& from, const BootRefused& refused);
  void log_drop(const Turn& turn, const std::string& from, const std::string& why);
  bool accepts(const Turn& turn, const PacketReceived& received, const Packet& packet);
  // Answers what a request may not have, and returns whether it may go on.
  template <class Request, class Complete>
  bool may_start(const Request& request, std::vector<Complete>& completions) const;
  absl::Status check_context(const Context& context, const StoreFacts& store,
                             std::string_view key) const;
  void deliver_finished(const Turn& turn);
  void fill_waiting(const Turn& turn);
  void expire_waiting(const Turn& turn);
  void announce(const StoreTable::Entry& entry);
  PacketHeader header_to(const std::string& name) const;

  NodeState state_;
  Views views_;
  Replica replica_;
  ReplicaService service_;
  Handoff handoff_;
  GetRequests gets_;
  PutCoordinator coordinator_;
  PutRequests puts_;
  Generations generations_;
  AntiEntropy anti_entropy_;
  Departure departure_;
  // Requests that came before the first view.
  std::deque<std::variant<ClientGet, ClientPut>> waiting_for_view_;
  static constexpr std::size_t early_packets_max = 256;
  std::vector<PacketReceived> early_packets_;       // of peers, likewise
  std::vector<PutCoordinator::Finished> finished_;  // those that are delivered
  Turn::Written written_;                           // of the step that runs
  Packet packet_;                                   // room for the next one
  std::vector<ObjectKey> expected_reads_;           // until bring()
  std::vector<ObjectKey> expected_writes_;          // until bring()
  std::vector<ObjectKeyBytes> expected_;            // room for both
  std::vector<SendPacket> unaddressed_;  // of the membership component, by address rather than name
  std::map<std::string, std::string>
      drop_reasons_;  // by sender, as last logged: a reason is logged once
};

}  // namespace dynamo::core

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <absl/status/status.h>

#include "node/anti_entropy.h"
#include "node/departure.h"
#include "node/event.h"
#include "node/generations.h"
#include "node/handoff.h"
#include "node/node_state.h"
#include "node/replica.h"
#include "node/strand_work.h"
#include "node/views.h"
#include "wire/packet.h"

namespace dynamo::core {

// A Dynamo node without its I/O: events in, actions out. The runtime and the simulator drive the
// same machine.
//
// It is a router. What arrives goes to the part that knows what to do:
//
//   ClientGet, ClientPut, messages about one key ---> StrandWork
//   BatchWritten, WriteFailed ---> StrandWork, Handoff, AntiEntropy
//   ClientWait, exchanges, drops, generations ---> AntiEntropy, Generations, Departure
//   Tick ---> deadlines, FailureDetector, Handoff
//
// A turn is one or more step() calls and one end_turn(), which seals the messages of all of them
// into one packet per peer. The host must, in this order, put the writes into its object buffer,
// then send packets and complete requests. The writes of one step must be readable through `own`
// before the next.
//
// With several strands, what concerns one key alone may be done in the strand of its partition
// while other strands work, by step_in_strand(), which leaves to step() what concerns the node as a
// whole.
//
// Thread safety: one thread at a time; but calls that name a strand may be made at the same time
// for different strands, while no others are made.
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
  // A strand reacts to one event: a request or a Cancel of the application, messages, a Tick, or
  // the engine's word on what was written. Returns false if step() has to be called with it as
  // well, or instead.
  bool step_in_strand(int strand, const Now& now, Event& event, const RecordReader& own,
                      Actions& out);
  void end_turn_in_strand(int strand, const Now& now, Actions& out);

  // A step with this event comes soon. bring() has what is expected of `own` and of the machine
  // itself near the processor by then; of all together, for memory answers many at once.
  void expect(int strand, const Event& event) { work(strand).expect(event); }
  void bring(int strand, const RecordReader& own) { work(strand).bring(own); }

  // Opens a store here. FAILED_PRECONDITION if its facts differ or the node is out of service.
  absl::Status open_store(const StoreFacts& facts, Actions& out);

  // When a Tick is due if nothing happens before.
  // A request of the application, begun by an event, took so long.
  void note_latency(TimePoint now, TimePoint took) { state_.background.foreground(now, took); }
  TimePoint next_tick() const;
  // Of that strand alone; of the common one, all that is common too.
  // Only steps change it.
  TimePoint next_tick_in_strand(int strand) const;
  // Whether the common strand may have something to do since this one has worked.
  bool take_common_is_due(int strand);

  // What the host and its handles may show.
  const NodeState& state() const { return state_; }

 private:
  void on(const Turn& turn, ClientGet&& get);
  void on(const Turn& turn, ClientPut&& put);
  void on(const Turn& turn, const ClientWait& converge);
  void on(const Turn& turn, const ClientChange& change);
  void on(const Turn& turn, const Cancel& cancel);
  void on(const Turn& turn, PacketReceived&& received);
  void on(const Turn& turn, PacketOpened opened);
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
  void take(const Turn& turn, const std::string& peer, Packet& packet);
  bool take_in_strand(const Turn& turn, PacketOpened& opened);
  bool is_plain(const PacketOpened& opened) const;
  template <class Request>
  bool start_in_strand(const Turn& turn, Request& request);
  void catch_up(const Turn& turn, const std::string& from);
  void hear_refusals(const Turn& turn, const Packet& packet);
  void on_message(const Turn& turn, const std::string& from, Message&& message);
  void on_announce(const Turn& turn, const StoreAnnounce& announce);
  void on_boot_refused(const Turn& turn, const std::string& from, const BootRefused& refused);
  void log_drop(const Turn& turn, const std::string& from, const std::string& why);
  bool accepts(const Turn& turn, const std::string& peer, const Packet& packet);
  template <class Request>
  void begin(const Turn& turn, Request&& request);
  StrandWork& work(int strand) { return *strands_[static_cast<std::size_t>(strand)]; }
  StrandWork& work(const Strand& strand) { return work(strand.index); }
  void fill_waiting(const Turn& turn);
  void expire_waiting(const Turn& turn);
  void announce(const StoreTable::Entry& entry);
  PacketHeader header_to(const std::string& name) const;
  void seal(Strand& strand, const Now& now, Actions& out);

  NodeState state_;
  Views views_;
  Replica replica_;
  const std::vector<std::unique_ptr<StrandWork>> strands_;  // as NodeState's
  Handoff handoff_;
  Generations generations_;
  AntiEntropy anti_entropy_;
  Departure departure_;
  // Requests that came before the first view.
  std::deque<std::variant<ClientGet, ClientPut>> waiting_for_view_;
  static constexpr std::size_t early_packets_max = 256;
  std::vector<PacketReceived> early_packets_;  // of peers, likewise
  Packet packet_;                              // room for the next one
  std::vector<SendPacket> unaddressed_;  // of the membership component, by address rather than name
  std::map<std::string, std::string>
      drop_reasons_;  // by sender, as last logged: a reason is logged once
};

}  // namespace dynamo::core

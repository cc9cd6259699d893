#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/recycling_allocator.h"
#include "coordinator/put_operation.h"
#include "coordinator/retransmission.h"
#include "coordinator/seen_once.h"
#include "coordinator/stand_ins.h"
#include "node/node_state.h"
#include "node/replica.h"

namespace dynamo::core {

// The puts that this node coordinates as an owner of their keys, for its own application or for a
// peer that handed one over. Life of a put: read the record, give the write its dot, write locally
// and send the set to the other owners at the same time, answer once w have taken it (paper, 4.5).
//
// In a sloppy store a stand-in takes the place of each owner that cannot be reached, refuses, or is
// silent for a while, with a hint of whom it is for (paper, 4.6). If no owner takes a put, a
// stand-in coordinates it: its own copy is then a hint, owed to all owners. An owner that is there,
// and has not got the set, is sent it again.
//
// Thread safety: one thread at a time.
class PutCoordinator {
 public:
  PutCoordinator(NodeState& state, Replica& replica) : state_(state), replica_(replica) {}

  // What became of a put; `to` is the peer that handed it over, or this node.
  struct Finished {
    std::string to{};
    PutForwardReply reply{};
  };

  // `forward.operation` is `from`'s number for it. REQUIRES: this node is an owner of the key, or a
  // stand-in and the put is sloppy.
  void start(const Turn& turn, const std::string& from, PutForward forward);
  void reply(const Turn& turn, const std::string& from, WriteReply reply);
  // The engine's word on a local write.
  void synced(const Turn& turn, std::uint64_t write);
  void failed(const Turn& turn, std::uint64_t write, const absl::Status& status);
  // As GetRequests'. Stand-ins are left out: whoever they stand in for has been asked as well.
  void ask_again(const Turn& turn, const std::string& from, std::uint64_t operation);
  void peer_lost(const Turn& turn, const std::string& peer);
  // Answers from before do not count any more: the same set goes to the owners that there are now.
  void view_changed(const Turn& turn);
  // Replaces who is silent, asks again whom something was lost to, ends what is past its deadline.
  void tick(const Turn& turn);
  TimePoint next_tick() const;
  std::size_t size() const { return operations_.size(); }

  // Moves what has finished since the last call into `finished`; false if nothing has.
  bool take_finished(std::vector<Finished>& finished) {
    finished.clear();
    finished.swap(finished_);
    return !finished.empty();
  }

 private:
  using Role = Replica::Role;
  struct Running {
    std::string from{};
    std::uint64_t operation_there = 0;
    std::string key{};
    WriteId write_id{};
    HybridTime clock{};
    Dot dot{};
    bool synced = true;
    TimePoint started{};
    TimePoint deadline{};
    Retransmission retransmission{};
    int w = 1;
    bool sloppy = false;
    Role role = Role::primary;  // of this node
    std::uint64_t write = 0;    // the local one
    bool synced_here = false;
    bool started_over = false;  // in another view
    PutOperation operation{{}, 0, true};
    StandIns stand_ins{{}};
    StoreFacts store{};
    WriteRequest request{};  // for stand-ins to come; no copy is kept if there can be none
    absl::StatusCode failure_code = absl::StatusCode::kUnavailable;

    TimePoint next_look() const { return std::min(deadline, retransmission.next()); }
  };
  using Operations = RecyclingMap<std::uint64_t, Running>;

  // Refuses or changes nothing, or applies the put to the record.
  // Object and context are taken out of `forward`.
  PutForwardReply apply(const Turn& turn, const std::string& from, PutForward& forward,
                        Record& record);
  // Whether that put is under way; if so, the answer goes to the number that was asked last.
  bool under_way(const std::string& from, const PutForward& forward);
  void end(Operations::iterator at);
  void replicate(const Turn& turn, const std::string& from, PutForward forward, Record record,
                 const PutForwardReply& applied, Replica::Role role);
  // The put, from the record as it is now; nullopt if that has it no more.
  std::optional<WriteRequest> request_anew(const Turn& turn, std::uint64_t number,
                                           const Running& running);
  // To all owners there are; counts who has it from the beginning.
  void ask_owners(const Turn& turn, Operations::iterator at, WriteRequest request);
  bool send(const Turn& turn, const std::string& to, std::string_view body);
  void ask_stand_ins(const Turn& turn, Running& running);
  void renew(const Turn& turn, Running& running);
  // Whoever has not been heard of since the put began is not waited for any longer.
  void look_for_silent(const Turn& turn, Operations::iterator at);
  void settle(const Turn& turn, Operations::iterator at);
  void fail(Operations::iterator at, absl::StatusCode code, std::string_view after);

  NodeState& state_;
  Replica& replica_;
  SeenOnce forwards_{Strand::numbers_apart};  // each strand of a peer has a series
  Operations operations_;
  std::string body_;                                     // of the request that is sent
  RecyclingMap<std::uint64_t, std::uint64_t> by_write_;  // local writes on their way to the disk
  RecyclingMap<WriteId, std::uint64_t> handed_over_;  // puts that others have handed to this node
  using Timer = std::pair<TimePoint, std::uint64_t>;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<Finished> finished_;
};

}  // namespace dynamo::core

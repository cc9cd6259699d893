#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "node/get_requests.h"
#include "node/node_state.h"
#include "node/put_coordinator.h"
#include "node/put_requests.h"
#include "node/replica.h"
#include "node/replica_service.h"
#include "wire/packet.h"

namespace dynamo::core {

// What is done in one strand: gets and puts of the keys of its partitions, the application's and
// those of peers, from their beginning to their end.
//
//   ClientGet  --> GetRequests                      ReadRequest, WriteRequest --> ReplicaService
//   ClientPut  --> PutRequests --> PutCoordinator <--------------- PutForward (a peer's put)
//
// Thread safety: one thread at a time. Strands may work at the same time while nobody changes what
// they share (NodeState).
class StrandWork {
 public:
  // All outlive it.
  StrandWork(NodeState& state, Strand& strand, Replica& replica);
  StrandWork(const StrandWork&) = delete;
  StrandWork& operator=(const StrandWork&) = delete;

  Strand& strand() { return strand_; }
  ReplicaService& service() { return service_; }
  std::size_t size() const { return gets_.size() + puts_.size() + coordinator_.size(); }

  // A message that is the strand's by strand_of().
  void take(const Turn& turn, const std::string& from, Message&& message);
  // The strand that deals with the message, if it is of a kind that strands deal with.
  static Strand* strand_of(const NodeState& state, const Message& message);

  // Answers count only in the view that they were given in (semantics.md 6).
  static bool counts(const NodeState& state, const Turn& turn);

  // Answers what the application may not have, and returns whether the request may go on.
  bool may_start(const ClientGet& get, Actions& out) const;
  bool may_start(const ClientPut& put, Actions& out) const;
  // A request of the application that may. REQUIRES: a ring.
  void start(const Turn& turn, ClientGet&& get);
  void start(const Turn& turn, ClientPut&& put);
  bool cancel(const Turn& turn, std::uint64_t request);

  // The engine's word on a write; that of others is ignored.
  void synced(const Turn& turn, std::uint64_t write);
  void failed(const Turn& turn, std::uint64_t write, const absl::Status& status);

  void tick(const Turn& turn);
  TimePoint next_tick() const;
  void peer_lost(const Turn& turn, const std::string& peer);
  void view_changed(const Turn& turn);
  // To be called at the end of each step: what the step has brought about goes on.
  void end_step(const Turn& turn);

  // What a step with it will need soon; bring() has it brought near the processor.
  void expect(const Event& event);
  void bring(const RecordReader& own);
  // Calls `deal` with each, and has what the next ones need brought before.
  template <class Deal>
  void each(std::span<Message> messages, const RecordReader& own, Deal deal) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (i % RecordReader::expected_max == 0) {
        const std::size_t end = std::min(messages.size(), i + RecordReader::expected_max);
        for (std::size_t next = i; next < end; ++next) expect(messages[next]);
        bring(own);
      }
      deal(std::move(messages[i]));
    }
  }

  Turn::Written& written() { return written_; }  // of the step that runs

 private:
  void expect_in(std::vector<ObjectKey>& expected, const auto& request) {
    expected.push_back(state_.place(request.store.name, request.key));
    if (state_.ring != nullptr) state_.ring->prefetch(expected.back().hash);
  }
  void expect(const Message& message);
  template <class Request>
  absl::Status check_start(const Request& request) const;
  void on_forward(const Turn& turn, const std::string& from, PutForward forward);
  void deliver_finished(const Turn& turn);
  absl::Status check_context(const Context& context, const StoreFacts& store,
                             std::string_view key) const;

  NodeState& state_;
  Strand& strand_;
  ReplicaService service_;
  GetRequests gets_;
  PutCoordinator coordinator_;
  PutRequests puts_;
  std::vector<PutCoordinator::Finished> finished_;  // those that are delivered
  Turn::Written written_;
  std::vector<ObjectKey> expected_reads_;   // until bring()
  std::vector<ObjectKey> expected_writes_;  // until bring()
  std::vector<ObjectKeyBytes> expected_;    // room for both
};

}  // namespace dynamo::core

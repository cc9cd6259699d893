#include "node/strand_work.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "coordinator/outcome.h"
#include "wire/codec.h"

namespace dynamo::core {

namespace {

// Whoever sent this has not heard of this node's view.
bool is_behind(const NodeState& state, const Turn& turn) {
  return turn.peer_view < state.view.number;
}

}  // namespace

StrandWork::StrandWork(NodeState& state, Strand& strand, Replica& replica)
    : state_(state),
      strand_(strand),
      service_(state, replica),
      gets_(state, replica),
      coordinator_(state, replica),
      puts_(state, coordinator_) {}

bool StrandWork::counts(const NodeState& state, const Turn& turn) {
  return turn.peer_view == state.view.number || mutated(Mutant::answers_of_other_views);
}

Strand* StrandWork::strand_of(const NodeState& state, const Message& message) {
  return std::visit(
      [&]<class M>(const M& m) -> Strand* {
        if constexpr (is_request_of_key<M>) {
          return &state.strand_of(m.key);
        } else if constexpr (is_answer_in_strand<M>) {
          return state.strand_of_number(m.operation);
        } else {
          return nullptr;
        }
      },
      message);
}

void StrandWork::take(const Turn& turn, const std::string& from, Message&& message) {
  if (auto* read = std::get_if<ReadRequest>(&message)) {
    service_.read(turn, from, *read);
  } else if (auto* read_reply = std::get_if<ReadReply>(&message)) {
    if (counts(state_, turn)) return gets_.reply(turn, from, std::move(*read_reply));
    if (is_behind(state_, turn)) gets_.ask_again(turn, from, read_reply->operation);
  } else if (auto* write = std::get_if<WriteRequest>(&message)) {
    service_.write(turn, from, *write);
  } else if (auto* write_reply = std::get_if<WriteReply>(&message)) {
    if (counts(state_, turn)) return coordinator_.reply(turn, from, std::move(*write_reply));
    if (is_behind(state_, turn)) coordinator_.ask_again(turn, from, write_reply->operation);
  } else if (auto* forward = std::get_if<PutForward>(&message)) {
    on_forward(turn, from, std::move(*forward));
  } else if (auto* forward_reply = std::get_if<PutForwardReply>(&message)) {
    puts_.reply(turn, from, std::move(*forward_reply));
  }
}

void StrandWork::on_forward(const Turn& turn, const std::string& from, PutForward forward) {
  absl::Status admitted = service_
                              .admit(turn, from, forward.store, forward.key, forward.sloppy,
                                     ReplicaService::Access::write)
                              .status();
  if (admitted.ok()) {
    if (std::string full = turn.own.full(); !full.empty()) admitted = absl::UnavailableError(full);
  }
  if (admitted.ok() && state_.draining) admitted = absl::UnavailableError("it is draining");
  if (admitted.ok()) return coordinator_.start(turn, from, std::move(forward));
  const bool final = absl::IsFailedPrecondition(admitted);
  turn.strand.outbox.send(from,
                          PutForwardReply{.operation = forward.operation,
                                          .answer = final ? PutForwardReply::Answer::failed
                                                          : PutForwardReply::Answer::not_taken,
                                          .code = static_cast<int>(admitted.code()),
                                          .message = std::string(admitted.message())});
}

template <class Request>
absl::Status StrandWork::check_start(const Request& request) const {
  const bool writes = std::is_same_v<Request, ClientPut>;
  absl::Status refusal = writes ? state_.takes_writes() : state_.out_of_service;
  if (refusal.ok()) refusal = state_.stores.check(request.store);
  if (refusal.ok() && state_.draining) {
    refusal = absl::FailedPreconditionError(
        fmt::format("{}: node \"{}\" is draining", quote(request.key), state_.self.name));
  }
  return refusal;
}

bool StrandWork::may_start(const ClientGet& get, Actions& out) const {
  absl::Status refusal = check_start(get);
  if (!refusal.ok()) out.gets.push_back({get.request, refusal});
  return refusal.ok();
}

bool StrandWork::may_start(const ClientPut& put, Actions& out) const {
  absl::Status refusal = check_start(put);
  if (!refusal.ok()) out.puts.push_back({put.request, refusal});
  return refusal.ok();
}

// A context is checked here and not in the handle, because only the machine knows its cluster.
absl::Status StrandWork::check_context(const Context& context, const StoreFacts& store,
                                       std::string_view key) const {
  if (context.empty()) return absl::OkStatus();
  absl::Status bound =
      check_binding(context, bind_context(state_.cluster, store.name, key), store.name, key);
  if (!bound.ok() && !mutated(Mutant::foreign_context_accepted)) return bound;
  const ContextSecrets* const secrets = state_.settings.context_secrets.get();
  if (secrets == nullptr) return absl::OkStatus();  // before names are copied for nothing
  return check_seal(context, secrets,
                    {.cluster = state_.cluster, .store = store.name, .key = std::string(key)});
}

void StrandWork::start(const Turn& turn, ClientGet&& get) {
  absl::Status bound = check_context(get.at_least, get.store, get.key);
  if (bound.ok()) return gets_.start(turn, std::move(get));
  turn.out.gets.push_back({get.request, std::move(bound)});
}

void StrandWork::start(const Turn& turn, ClientPut&& put) {
  absl::Status bound = check_context(put.context, put.store, put.key);
  if (bound.ok()) return puts_.start(turn, std::move(put));
  turn.out.puts.push_back({put.request, std::move(bound)});
}

bool StrandWork::cancel(const Turn& turn, std::uint64_t request) {
  return gets_.cancel(turn, request) || puts_.cancel(turn, request);
}

void StrandWork::synced(const Turn& turn, std::uint64_t write) {
  if (!service_.synced(turn, write)) coordinator_.synced(turn, write);
}

void StrandWork::failed(const Turn& turn, std::uint64_t write, const absl::Status& status) {
  if (!service_.failed(turn, write, status)) coordinator_.failed(turn, write, status);
}

void StrandWork::tick(const Turn& turn) {
  gets_.tick(turn);
  coordinator_.tick(turn);
  deliver_finished(turn);  // what the coordinator knows beats what the request can say
  puts_.tick(turn);
}

TimePoint StrandWork::next_tick() const {
  return std::min({gets_.next_tick(), coordinator_.next_tick(), puts_.next_tick()});
}

void StrandWork::peer_lost(const Turn& turn, const std::string& peer) {
  gets_.peer_lost(turn, peer);
  coordinator_.peer_lost(turn, peer);
  deliver_finished(turn);
  puts_.peer_lost(turn, peer);
}

void StrandWork::view_changed(const Turn& turn) {
  gets_.view_changed(turn);
  coordinator_.view_changed(turn);
  deliver_finished(turn);
  puts_.view_changed(turn);
}

void StrandWork::end_step(const Turn& turn) {
  for (bool begun = true; begun;) {
    deliver_finished(turn);
    begun = gets_.room(turn);
    begun |= puts_.room(turn);
  }
}

void StrandWork::deliver_finished(const Turn& turn) {
  // A put that one owner did not take goes to the next, which may be this node again.
  while (coordinator_.take_finished(finished_)) {
    for (PutCoordinator::Finished& one : finished_) {
      if (state_.is_self(one.to)) {
        puts_.reply(turn, one.to, std::move(one.reply));
      } else {
        turn.strand.outbox.send(one.to, std::move(one.reply));
      }
    }
  }
}

void StrandWork::expect(const Event& event) {
  if (const auto* get = std::get_if<ClientGet>(&event)) expect_in(expected_reads_, *get);
  if (const auto* put = std::get_if<ClientPut>(&event)) expect_in(expected_writes_, *put);
}

void StrandWork::expect(const Message& message) {
  if (const auto* read = std::get_if<ReadRequest>(&message)) {
    expect_in(expected_reads_, *read);
  } else if (const auto* write = std::get_if<WriteRequest>(&message)) {
    expect_in(expected_writes_, *write);
  } else if (const auto* forward = std::get_if<PutForward>(&message)) {
    expect_in(expected_writes_, *forward);
  }
}

void StrandWork::bring(const RecordReader& own) {
  state_.trees.prefetch(expected_writes_);
  expected_.clear();
  for (std::vector<ObjectKey>* keys : {&expected_reads_, &expected_writes_}) {
    for (const ObjectKey& key : *keys) expected_.push_back(object_key_in_place(key));
    keys->clear();
  }
  own.expect(expected_);
}

}  // namespace dynamo::core

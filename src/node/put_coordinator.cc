#include "node/put_coordinator.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/mutant.h"
#include "coordinator/outcome.h"

namespace dynamo::core {

namespace {

PutForwardReply failed_reply(const absl::Status& status) {
  return {.answer = PutForwardReply::Answer::failed,
          .code = static_cast<int>(status.code()),
          .message = std::string(status.message())};
}

PutForwardReply not_taken(std::string reason) {
  return {.answer = PutForwardReply::Answer::not_taken, .message = std::move(reason)};
}

}  // namespace

void PutCoordinator::start(const Turn& turn, const std::string& from, PutForward forward) {
  // Of a put that comes twice the second could no longer be told from a new one, once another has
  // overwritten the first: it would be one more sibling, or told that its clock is behind.
  const std::uint64_t life = state_.life_of(from);
  const bool twice = !mutated(Mutant::forward_taken_twice) && life != 0 &&
                     !forwards_.first_time(from, life, forward.operation);
  if (twice || under_way(from, forward)) return;
  Record record;
  PutForwardReply applied;
  const Role role = state_.role_for(forward.key, forward.store.n).value_or(Role::stand_in);
  absl::StatusOr<Record> read = replica_.read_to_write(turn, forward.store, forward.key, role);
  if (absl::IsInternal(read.status())) {
    applied = failed_reply(absl::InternalError(
        fmt::format("put {}: {}", quote(forward.key), std::string(read.status().message()))));
  } else if (!read.ok()) {
    // Whoever does not know what it has said of a key must not speak of it again (trap A2).
    applied = not_taken(fmt::format("damaged: {}", std::string(read.status().message())));
  } else {
    record = *std::move(read);
    applied = apply(turn, from, forward, record);
  }
  const bool kept = role == Role::stand_in && !record.owed.empty();
  record.generation = kept ? std::min(record.generation, state_.stamp()) : state_.stamp();
  if (role == Role::stand_in && applied.answer == PutForwardReply::Answer::done) {
    for (const std::string& owner : state_.owners(forward.key, forward.store.n)) {
      record.owe(std::array{state_.identity_of(owner)});
    }
    std::string why = state_.not_introduced();
    if (why.empty()) why = std::string(replica_.check_hint_room(record).message());
    if (!why.empty()) applied = not_taken(std::move(why));
  }
  if (applied.answer != PutForwardReply::Answer::done) {
    applied.operation = forward.operation;
    finished_.push_back({from, std::move(applied)});
    return;
  }
  replicate(turn, from, std::move(forward), std::move(record), applied, role);
}

bool PutCoordinator::under_way(const std::string& from, const PutForward& forward) {
  const auto known = handed_over_.find(forward.write_id);
  if (known == handed_over_.end()) return false;
  const auto at = operations_.find(known->second);
  if (at == operations_.end() || at->second.from != from) return false;
  at->second.operation_there = forward.operation;
  return true;
}

PutForwardReply PutCoordinator::apply(const Turn& turn, const std::string& from,
                                      PutForward& forward, Record& record) {
  const VersionSet& set = record.replica.set;
  const bool held = set.find_write(forward.write_id) != nullptr;
  if (forward.store.conflict == Conflict::last_write_wins && !held) {
    if (set.latest() >= forward.clock && forward.may_redraw) {
      return {.answer = PutForwardReply::Answer::clock_behind, .clock = set.latest()};
    }
    // A clock that runs ahead may not drag the store along; one that only exceeds what it has seen
    // may.
    const HybridTime allowed = std::max({HybridTime::at(turn.now.wall_us + drift_max_us),
                                         forward.context_latest.next(), set.latest().next()});
    if (forward.clock > allowed) {
      PutForwardReply refusal = not_taken(
          fmt::format("the clock of {} is {} ms ahead, the limit is {} ms", from,
                      (forward.clock.wall_us() - turn.now.wall_us) / 1000, drift_max_us / 1000));
      refusal.code = static_cast<int>(absl::StatusCode::kOutOfRange);
      return refusal;
    }
  }
  const std::size_t siblings = set.size_after_put(forward.context);
  const auto siblings_max = static_cast<std::size_t>(forward.siblings_max);
  if (!held && forward.store.conflict == Conflict::keep_siblings && siblings > siblings_max) {
    return failed_reply(absl::ResourceExhaustedError(
        fmt::format("put {}: would leave {} siblings, siblings_max is {}; get the key, merge, and "
                    "put with that context",
                    quote(forward.key), siblings, siblings_max)));
  }
  const Dot dot = record.replica.put({.context = std::move(forward.context),
                                      .write_id = forward.write_id,
                                      .clock = forward.clock,
                                      .written_at_us = forward.written_at_us,
                                      .expires_at_us = forward.expires_at_us,
                                      .object = std::move(forward.object)},
                                     forward.store.conflict, turn.strand.actors);
  if (const absl::Status bounds = Replica::check_bounds(record); !bounds.ok()) {
    return failed_reply(absl::Status(bounds.code(), fmt::format("put {}: {}", quote(forward.key),
                                                                std::string(bounds.message()))));
  }
  return {.answer = PutForwardReply::Answer::done, .clock = forward.clock, .dot = dot};
}

void PutCoordinator::replicate(const Turn& turn, const std::string& from, PutForward forward,
                               Record record, const PutForwardReply& applied, Role role) {
  const std::uint64_t number = turn.strand.next_number();
  const auto at = operations_.try_emplace(
      operations_.end(), number,
      Running{.from = from,
              .operation_there = forward.operation,
              .key = std::move(forward.key),
              .write_id = forward.write_id,
              .clock = forward.clock,
              .dot = applied.dot,
              .synced = forward.synced,
              .started = turn.now.steady,
              .deadline = turn.now.steady + std::chrono::microseconds(forward.timeout_us),
              .w = forward.w,
              .sloppy = forward.sloppy,
              .role = role,
              .store = forward.store});
  EncodedSet set(record.replica.set);
  at->second.write = replica_.write(turn, record, set, forward.synced, role);
  by_write_.emplace_hint(by_write_.end(), at->second.write, number);
  if (!state_.is_self(from)) handed_over_.insert_or_assign(at->second.write_id, number);
  ask_owners(turn, at,
             {.operation = number,
              .store = std::move(forward.store),
              .key = std::move(record.key),
              .synced = forward.synced,
              .generation = record.generation,
              .set = std::move(set)});
}

void PutCoordinator::ask_owners(const Turn& turn, Operations::iterator at, WriteRequest request) {
  auto& [number, running] = *at;
  OwnerSides owners = state_.owner_sides(running.key, running.store.n);
  if (mutated(Mutant::pending_owners_not_written)) owners.pending.clear();
  std::vector<std::string> candidates;
  if (running.sloppy) candidates = state_.stand_ins(running.key, running.store.n);
  std::erase(candidates, state_.self.name);
  running.operation = PutOperation(mistaken(owners, Mutant::w_of_old_side, Mutant::w_of_new_side),
                                   running.w, running.synced);
  running.stand_ins = StandIns(std::move(candidates));
  if (running.role == Role::stand_in) running.operation.tally().add(state_.self.name, running.role);
  running.operation.stored(state_.self.name);
  if (running.synced_here) running.operation.synced(state_.self.name);
  if (running.started_over) running.operation.started_over();
  const TimePoint patience = StandIns::patience(running.deadline - turn.now.steady);
  running.retransmission.begin(turn.now.steady, patience);
  timers_.emplace(running.next_look(), number);
  const NodeNames all = owners.all();
  body_.clear();
  Encoder out(body_);
  encode_write_request(request, out);
  for (const std::string& owner : all) {
    if (state_.is_self(owner) || send(turn, owner, body_)) continue;
    running.operation.unreachable(owner, state_.unreachable_reason(owner, turn.now.steady));
  }
  if (!running.stand_ins.exhausted()) {
    running.request = std::move(request);
    ask_stand_ins(turn, running);
  }
  settle(turn, at);
}

// This node may not own the key any more, but has the set until it has been given to the owners.
void PutCoordinator::view_changed(const Turn& turn) {
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto current = at++;
    Running& running = current->second;
    std::optional<WriteRequest> request = request_anew(turn, current->first, running);
    if (!request) {
      fail(current, absl::StatusCode::kUnavailable, ", and this node does not have it any more");
      continue;
    }
    running.started_over = true;
    ask_owners(turn, current, *std::move(request));
  }
}

std::optional<WriteRequest> PutCoordinator::request_anew(const Turn& turn, std::uint64_t number,
                                                         const Running& running) {
  absl::StatusOr<Record> record = replica_.read(turn, running.store, running.key, running.role);
  if (!record.ok() || !record->replica.set.history().contains(running.dot)) return std::nullopt;
  const bool kept = running.role == Role::stand_in;
  return WriteRequest{.operation = number,
                      .store = running.store,
                      .key = running.key,
                      .synced = running.synced,
                      .generation = kept ? record->generation : state_.stamp(),
                      .set = std::move(record->replica.set)};
}

void PutCoordinator::ask_again(const Turn& turn, const std::string& from, std::uint64_t operation) {
  const auto at = operations_.find(operation);
  if (at == operations_.end()) return;
  const ReplicaReport* asked = at->second.operation.tally().find(from);
  if (asked == nullptr || asked->role != Role::primary) return;
  const std::optional<WriteRequest> request = request_anew(turn, operation, at->second);
  if (!request) return;
  body_.clear();
  Encoder out(body_);
  encode_write_request(*request, out);
  send(turn, from, body_);
}

// The body of a WriteRequest.
bool PutCoordinator::send(const Turn& turn, const std::string& to, std::string_view body) {
  turn.strand.outbox.send(to, message_type<WriteRequest>(),
                          [body](Encoder& out) { out.raw(body); });
  return state_.detector.asked(to, turn.now.steady).reachable;
}

void PutCoordinator::ask_stand_ins(const Turn& turn, Running& running) {
  const auto usable = [&](std::string_view name) { return state_.detector.reachable(name); };
  const auto pairs = running.stand_ins.choose(running.operation.tally(), usable);
  if (!pairs.empty()) renew(turn, running);
  for (const StandIns::Pair& pair : pairs) {
    running.request.owed = {state_.identity_of(pair.owner)};
    body_.clear();
    Encoder out(body_);
    encode_write_request(running.request, out);
    send(turn, pair.stand_in, body_);
  }
}

// A stand-in takes nothing that was read in an earlier generation, and the cluster may have moved
// on since the put began. What is here now has all that the put has written.
void PutCoordinator::renew(const Turn& turn, Running& running) {
  WriteRequest& request = running.request;
  if (request.generation >= state_.stamp()) return;
  const auto role = state_.role_for(request.key, request.store.n);
  if (role != Role::primary) return;
  absl::StatusOr<Record> record = replica_.read(turn, request.store, request.key);
  if (!record.ok() || !record->replica.set.history().contains(running.dot)) return;
  request.generation = state_.stamp();
  request.set = std::move(record->replica.set);
}

void PutCoordinator::reply(const Turn& turn, const std::string& from, WriteReply reply) {
  const auto at = operations_.find(reply.operation);
  if (at == operations_.end()) return;
  PutOperation& operation = at->second.operation;
  switch (reply.answer) {
    case WriteReply::Answer::stored:
      operation.stored(from);
      break;
    case WriteReply::Answer::synced:
      operation.synced(from);
      break;
    case WriteReply::Answer::refused:
      operation.refused(from, std::move(reply.reason));
      break;
  }
  // The time of a synced write is the disk's, not the peer's.
  if (reply.answer == WriteReply::Answer::stored) {
    state_.detector.round_trip(from, turn.now.steady - at->second.started);
  }
  settle(turn, at);
}

void PutCoordinator::synced(const Turn& turn, std::uint64_t write) {
  const auto by_write = by_write_.find(write);
  if (by_write == by_write_.end()) return;
  const auto at = operations_.find(by_write->second);
  by_write_.erase(by_write);
  if (at == operations_.end()) return;
  at->second.synced_here = true;
  at->second.operation.synced(state_.self.name);
  settle(turn, at);
}

void PutCoordinator::failed(const Turn& turn, std::uint64_t write, const absl::Status& status) {
  const auto by_write = by_write_.find(write);
  if (by_write == by_write_.end()) return;
  const auto at = operations_.find(by_write->second);
  by_write_.erase(by_write);
  if (at == operations_.end()) return;
  const auto left =
      absl::IsResourceExhausted(status) ? PutOperation::Left::nothing : PutOperation::Left::perhaps;
  at->second.operation.local_failed(state_.self.name, std::string(status.message()), left);
  at->second.failure_code = status.code();
  settle(turn, at);
}

void PutCoordinator::peer_lost(const Turn& turn, const std::string& peer) {
  const std::string why = state_.unreachable_reason(peer, turn.now.steady);
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto next = std::next(at);
    at->second.operation.unreachable(peer, why);
    settle(turn, at);
    at = next;
  }
}

void PutCoordinator::tick(const Turn& turn) {
  while (!timers_.empty() && timers_.top().first <= turn.now.steady) {
    const auto [time, number] = timers_.top();
    timers_.pop();
    const auto at = operations_.find(number);
    if (at == operations_.end() || at->second.next_look() != time) continue;
    if (at->second.deadline > turn.now.steady) {
      look_for_silent(turn, at);
      continue;
    }
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.steady - at->second.started);
    fail(at, absl::StatusCode::kDeadlineExceeded, fmt::format(" within {} ms", took.count()));
  }
}

TimePoint PutCoordinator::next_tick() const {
  return timers_.empty() ? TimePoint::max() : timers_.top().first;
}

void PutCoordinator::look_for_silent(const Turn& turn, Operations::iterator at) {
  Running& running = at->second;
  running.stand_ins.note_silent(running.operation.tally(), [&](std::string_view node) {
    return state_.detector.heard_since(node, running.started);
  });
  const Retransmission::Late late =
      running.retransmission.look(running.operation.tally(), state_.self.name, state_.detector,
                                  turn.now.steady, [](std::string_view) { return TimePoint{0}; });
  for (const std::string& node : late.pinged) state_.ping(turn.strand, node, turn.now.steady);
  for (const std::string& node : late.asked) ask_again(turn, node, at->first);
  timers_.emplace(running.next_look(), at->first);
  settle(turn, at);
}

void PutCoordinator::settle(const Turn& turn, Operations::iterator at) {
  Running& running = at->second;
  if (!running.operation.enough()) ask_stand_ins(turn, running);
  if (running.operation.enough()) {
    Outcome outcome = running.operation.outcome(running.write_id);
    finished_.push_back({running.from,
                         {.operation = running.operation_there,
                          .answer = PutForwardReply::Answer::done,
                          .clock = running.clock,
                          .dot = running.dot,
                          .verdict = outcome.verdict,
                          .replicas = std::move(outcome.replicas)}});
    end(at);
  } else if (running.operation.hopeless()) {
    fail(at, running.failure_code, "");
  }
}

void PutCoordinator::fail(Operations::iterator at, absl::StatusCode code, std::string_view after) {
  const Running& running = at->second;
  const absl::Status status = running.operation.failure(code, running.key, running.write_id, after);
  Outcome outcome = running.operation.outcome(running.write_id);
  PutForwardReply reply = failed_reply(status);
  reply.operation = running.operation_there;
  reply.verdict = outcome.verdict;
  reply.replicas = std::move(outcome.replicas);
  finished_.push_back({running.from, std::move(reply)});
  end(at);
}

void PutCoordinator::end(Operations::iterator at) {
  by_write_.erase(at->second.write);
  const auto handed_over = handed_over_.find(at->second.write_id);
  if (handed_over != handed_over_.end() && handed_over->second == at->first) {
    handed_over_.erase(handed_over);
  }
  operations_.erase(at);
  // What is over needs no timers; they would lie here until their time.
  while (!timers_.empty() && !operations_.contains(timers_.top().second)) timers_.pop();
}

}  // namespace dynamo::core

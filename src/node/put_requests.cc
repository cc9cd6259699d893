#include "node/put_requests.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "causality/write_id.h"
#include "coordinator/outcome.h"

namespace dynamo::core {

namespace {

constexpr int redraws_max = 8;

std::size_t bytes_of(const ClientPut& put) { return put.object ? put.object->size() : 0; }

}  // namespace

void PutRequests::start(const Turn& turn, ClientPut&& put) {
  if (waiting_.empty() && no_room_for(turn, put).empty()) return begin(turn, std::move(put));
  waiting_.push(std::move(put));
}

std::string PutRequests::no_room_for(const Turn& turn, const ClientPut& put) const {
  if (std::string full = turn.own.full(); !full.empty()) return full;
  if (bytes_under_way_ + bytes_of(put) <= bytes_under_way_max) return {};
  return fmt::format("{} bytes of objects are under way, the limit is {}", bytes_under_way_,
                     bytes_under_way_max);
}

void PutRequests::begin(const Turn& turn, ClientPut&& put) {
  const OwnerSides owners = state_.owner_sides(put.key, put.store.n);
  if (owners.size() < static_cast<std::size_t>(put.w)) {
    turn.out.puts.push_back(
        {put.request, absl::FailedPreconditionError(fmt::format(
                          "put {}: w is {}, but the cluster has {} members that own data",
                          quote(put.key), put.w, owners.size()))});
    return;
  }
  NodeNames coordinators = coordinators_in_order(put, owners.all(), turn.now.steady);
  const std::uint64_t number = turn.strand.next_number();
  const TimePoint deadline = put.deadline;
  bytes_under_way_ += bytes_of(put);
  const std::int64_t expires_at_us =
      put.ttl ? turn.now.wall_us + std::chrono::microseconds(*put.ttl).count() : 0;
  const auto at =
      operations_
          .emplace(number, Running{.put = std::move(put),
                                   .started = turn.now.steady,
                                   .written_at_us = turn.now.wall_us,
                                   .expires_at_us = expires_at_us,
                                   .forwarding = PutForwarding(std::move(coordinators), deadline)})
          .first;
  timers_.emplace(deadline, number);
  draw(turn, at->second, {});
  attempt(turn, at);
}

void PutRequests::draw(const Turn& turn, Running& running, HybridTime above) {
  const ContextBody* context = running.put.context.body();
  const bool ignores = mutated(Mutant::lww_before_causality);
  const HybridTime seen = context == nullptr || ignores ? HybridTime{} : context->latest;
  const bool first_draw = running.clock == HybridTime{};
  if (first_draw) running.own_id = running.put.id.is_zero();
  // The clock of an id that carries its time of drawing was drawn then; this may be a retry.
  const std::optional<HybridTime> given = running.own_id || mutated(Mutant::lww_retry_redraws)
                                              ? std::nullopt
                                              : drawn_at(running.put.id);
  running.clock =
      std::max({given.value_or(state_.clock.draw(turn.now.wall_us)), seen.next(), above.next()});
  running.may_redraw = !given.has_value();
  if (running.own_id) running.put.id = make_write_id(running.clock, turn.strand.prng.next());
}

NodeNames PutRequests::coordinators_in_order(const ClientPut& put, NodeNames all,
                                             TimePoint now) const {
  state_.order_by_nearness(all, now);
  if (!put.sloppy) return all;
  // Stand-ins come in the order of the preference list, so that all nodes try the same first.
  for (std::string& stand_in : state_.stand_ins(put.key, put.store.n)) {
    all.push_back(std::move(stand_in));
  }
  std::ranges::stable_partition(all, [this](const std::string& name) {
    return state_.is_self(name) || state_.detector.reachable(name);
  });
  return all;
}

void PutRequests::view_changed(const Turn& turn) {
  for (auto& [number, running] : operations_) {
    const ClientPut& put = running.put;
    running.forwarding.retarget(coordinators_in_order(
        put, state_.owner_sides(put.key, put.store.n).all(), turn.now.steady));
    // Whoever is asked and has gone will not answer.
    const bool gone = state_.member(running.attempt_owner) == nullptr;
    if (gone) timers_.emplace(turn.now.steady, number);
    if (gone) running.forwarding.give_up_at(turn.now.steady);
  }
}

void PutRequests::attempt(const Turn& turn, Operations::iterator at) {
  Running& running = at->second;
  const std::optional<PutForwarding::Attempt> attempt = running.forwarding.next(turn.now.steady);
  if (!attempt) {
    if (running.forwarding.waiting()) return;  // a silent owner may still answer
    finish(turn, at,
           running.forwarding.failure(absl::StatusCode::kUnavailable, running.put.key,
                                      running.put.id, ""));
    return;
  }
  timers_.emplace(attempt->give_up, at->first);
  running.attempt_at = turn.now.steady;
  running.attempt_owner = attempt->owner;
  if (mutated(Mutant::retry_under_new_id) && !attempt->first) {
    running.put.id = make_write_id(running.clock, turn.strand.prng.next());
  }
  running.asked_again = false;
  if (attempt->first) return ask(turn, at->first, running, true);
  ask_later(turn, at);
}

// Who is asked now may have been handed many puts since this one began, and takes a number from
// before them for one that has come before (SeenOnce).
void PutRequests::ask_later(const Turn& turn, Operations::iterator at) {
  const std::uint64_t number = turn.strand.next_number();
  later_attempts_.emplace(number, at->first);
  at->second.later_numbers.push_back(number);
  ask(turn, number, at->second, false);
}

PutRequests::Operations::iterator PutRequests::find(std::uint64_t number) {
  const auto later = later_attempts_.find(number);
  return operations_.find(later == later_attempts_.end() ? number : later->second);
}

void PutRequests::forget_later_numbers(Running& running) {
  for (const std::uint64_t number : running.later_numbers) later_attempts_.erase(number);
  running.later_numbers.clear();
}

void PutRequests::ask(const Turn& turn, std::uint64_t number, Running& running, bool first) {
  const ContextBody* context = running.put.context.body();
  // An owner elsewhere ends a little earlier, so that what it knows arrives in time.
  const TimePoint left = running.forwarding.deadline() - turn.now.steady;
  const bool here = state_.is_self(running.attempt_owner);
  running.attempt_life = state_.life_of(running.attempt_owner);
  const TimePoint margin =
      here ? TimePoint{0} : std::min(left / 10, TimePoint(std::chrono::milliseconds(20)));
  PutForward forward{
      .operation = number,
      .store = running.put.store,
      .key = running.put.key,
      .context = context == nullptr ? History{} : context->history,
      .context_latest = context == nullptr ? HybridTime{} : context->latest,
      .write_id = running.put.id,
      .clock = running.clock,
      .may_redraw = first && running.may_redraw,
      .written_at_us = running.written_at_us,
      .expires_at_us = running.expires_at_us,
      .object = running.put.object,
      .w = running.put.w,
      .siblings_max = running.put.siblings_max,
      .synced = running.put.synced,
      .sloppy = running.put.sloppy,
      .timeout_us = static_cast<std::uint64_t>(std::max<std::int64_t>(
          0, std::chrono::duration_cast<std::chrono::microseconds>(left - margin).count())),
  };
  if (here) {
    coordinator_.start(turn, state_.self.name, std::move(forward));
  } else {
    turn.strand.outbox.send(running.attempt_owner, std::move(forward));
    state_.detector.asked(running.attempt_owner, turn.now.steady);
  }
}

// Under another number: the same answer may come twice, and taken for one to this draw, which may
// have been stored, it would make two writes of the put.
void PutRequests::ask_anew(const Turn& turn, Operations::iterator at) {
  forget_later_numbers(at->second);
  // Not by extract(): the node handle of libstdc++ 12 never destroys its copy of an allocator.
  Running running = std::move(at->second);
  operations_.erase(at);
  const auto moved = operations_.emplace(turn.strand.next_number(), std::move(running)).first;
  timers_.emplace(moved->second.forwarding.deadline(), moved->first);
  timers_.emplace(moved->second.forwarding.give_up(), moved->first);
  ask(turn, moved->first, moved->second, true);
}

void PutRequests::reply(const Turn& turn, const std::string& from, PutForwardReply reply) {
  const auto at = find(reply.operation);
  if (at == operations_.end()) return;
  Running& running = at->second;
  switch (reply.answer) {
    case PutForwardReply::Answer::done:
      return finish(turn, at, answer_of(running, std::move(reply)));
    case PutForwardReply::Answer::failed: {
      Outcome outcome = {reply.verdict, running.put.id, std::move(reply.replicas)};
      absl::Status status(static_cast<absl::StatusCode>(reply.code), reply.message);
      if (status.ok()) status = absl::InternalError("a failed put without a reason");
      return finish(turn, at, running.forwarding.failed(from, status, std::move(outcome)));
    }
    case PutForwardReply::Answer::not_taken:
      if (!refuses_first_time(running, reply.operation)) return;
      running.forwarding.not_taken(from, std::move(reply.message));
      // This node's clock is wrong, and this node may be a stand-in: it must not be its own judge.
      if (reply.code == static_cast<int>(absl::StatusCode::kOutOfRange)) {
        running.forwarding.skip(state_.stand_ins(running.put.key, running.put.store.n));
      }
      // The last one tried, or a late answer of the only one that had been silent.
      if (from == running.attempt_owner || !running.forwarding.waiting()) attempt(turn, at);
      return;
    case PutForwardReply::Answer::clock_behind:
      if (!running.may_redraw || from != running.attempt_owner) return;
      // It was asked once more meanwhile, and that it may have taken.
      if (!running.later_numbers.empty()) return;
      // Who has started anew meanwhile may have taken it before, and not know it.
      running.may_redraw =
          running.attempt_life == 0 || running.attempt_life == state_.life_of(from);
      if (running.may_redraw) draw(turn, running, reply.clock);
      // A clock that cannot be exceeded, or an owner that is always ahead: take part as it is.
      running.may_redraw = running.clock > reply.clock && ++running.redraws < redraws_max;
      return ask_anew(turn, at);
  }
}

bool PutRequests::refuses_first_time(Running& running, std::uint64_t number) {
  if (std::ranges::find(running.refused_numbers, number) != running.refused_numbers.end()) {
    return false;
  }
  running.refused_numbers.push_back(number);
  return true;
}

PutAnswer PutRequests::answer_of(const Running& running, PutForwardReply reply) const {
  const ContextBody* seen = running.put.context.body();
  ContextBody body = state_.context_body(running.put.store.name, running.put.key);
  if (seen != nullptr) {
    body.history = seen->history;
    body.latest = seen->latest;
  }
  body.history.add(reply.dot);
  body.latest = std::max(body.latest, reply.clock);
  return {.context = make_context(std::move(body)),
          .outcome = {reply.verdict, running.put.id, std::move(reply.replicas)}};
}

void PutRequests::finish(const Turn& turn, Operations::iterator at,
                         absl::StatusOr<PutAnswer> answer) {
  turn.out.puts.push_back({at->second.put.request, std::move(answer)});
  forget_later_numbers(at->second);
  bytes_under_way_ -= bytes_of(at->second.put);
  operations_.erase(at);
  while (!timers_.empty() && !operations_.contains(timers_.top().second)) timers_.pop();
}

void PutRequests::tick(const Turn& turn) {
  expire_waiting(turn);
  while (!timers_.empty() && timers_.top().first <= turn.now.steady) {
    const auto at = operations_.find(timers_.top().second);
    timers_.pop();
    if (at != operations_.end()) look_at(turn, at);
  }
}

void PutRequests::look_at(const Turn& turn, Operations::iterator at) {
  Running& running = at->second;
  PutForwarding& forwarding = running.forwarding;
  if (forwarding.deadline() <= turn.now.steady) {
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.steady - running.started);
    return finish(turn, at,
                  forwarding.failure(absl::StatusCode::kDeadlineExceeded, running.put.key,
                                     running.put.id, fmt::format(" within {} ms", took.count())));
  }
  if (forwarding.give_up() > turn.now.steady) return;  // of an earlier attempt
  if (state_.is_self(running.attempt_owner)) return forwarding.be_patient();
  if (!state_.detector.heard_since(running.attempt_owner, running.attempt_at)) {
    forwarding.silent(running.attempt_owner);
    return attempt(turn, at);
  }
  // It is slow, or has never got the message: one that was away is sent more than it can take.
  if (std::exchange(running.asked_again, true)) return forwarding.be_patient();
  forwarding.give_more_time(turn.now.steady);
  timers_.emplace(forwarding.give_up(), at->first);
  forwarding.ask_again();
  ask_later(turn, at);
}

void PutRequests::expire_waiting(const Turn& turn) {
  if (waiting_.next() > turn.now.steady) return;
  // All wait for what the first waits for, and for their turn.
  std::string why = waiting_.empty() ? "" : no_room_for(turn, waiting_.front());
  if (why.empty()) why = "others came before it";
  waiting_.expire(turn.now.steady, [&](const ClientPut& put) {
    turn.out.puts.push_back({put.request, absl::ResourceExhaustedError(
                                              fmt::format("put {}: {}", quote(put.key), why))});
  });
}

void PutRequests::peer_lost(const Turn& turn, const std::string& peer) {
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto current = at++;
    if (current->second.attempt_owner != peer) continue;
    current->second.forwarding.silent(peer);
    attempt(turn, current);
  }
}

bool PutRequests::cancel(const Turn& turn, std::uint64_t request) {
  if (const std::optional<ClientPut> put = waiting_.remove(request)) {
    turn.out.puts.push_back({request, absl::CancelledError(fmt::format(
                                          "put {}: cancelled before it began", quote(put->key)))});
    return true;
  }
  const auto at = std::ranges::find_if(
      operations_, [request](const auto& entry) { return entry.second.put.request == request; });
  if (at == operations_.end()) return false;
  finish(turn, at,
         at->second.forwarding.failure(absl::StatusCode::kCancelled, at->second.put.key,
                                       at->second.put.id, " when it was cancelled"));
  return true;
}

bool PutRequests::room(const Turn& turn) {
  bool begun = false;
  while (!waiting_.empty() && no_room_for(turn, waiting_.front()).empty()) {
    begun = true;
    ClientPut put = waiting_.pop();
    if (state_.takes_writes().ok()) {
      begin(turn, std::move(put));
    } else {
      turn.out.puts.push_back({put.request, state_.takes_writes()});
    }
  }
  return begun;
}

TimePoint PutRequests::next_tick() const {
  return timers_.empty() ? waiting_.next() : std::min(waiting_.next(), timers_.top().first);
}

}  // namespace dynamo::core

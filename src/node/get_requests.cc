#include "node/get_requests.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "coordinator/outcome.h"
#include "node/get_answer.h"

namespace dynamo::core {

GetRequests::Owners GetRequests::choose_owners(const ClientGet& get, TimePoint now) const {
  Owners owners{.first = state_.owner_sides(get.key, get.store.n)};
  NodeNames& first = owners.first.current;
  // Which of them has seen at_least, nobody knows; and while the key moves, both sides answer.
  const std::size_t count = first.size();
  const bool all = !get.at_least.empty() || !owners.first.pending.empty();
  const std::size_t asked = all ? count : std::min(static_cast<std::size_t>(get.r), count);
  if (asked == count) return owners;
  state_.order_by_nearness(first, now);
  const auto rest = first.begin() + static_cast<std::ptrdiff_t>(asked);
  owners.reserve.assign(std::make_move_iterator(rest), std::make_move_iterator(first.end()));
  first.erase(rest, first.end());
  return owners;
}

void GetRequests::start(const Turn& turn, ClientGet&& get) {
  if (waiting_.empty() && !crowded()) return begin(turn, std::move(get));
  waiting_.push(std::move(get));
}

bool GetRequests::crowded() const { return unanswered_ * answer_bytes_ >= bytes_under_way_max; }

bool GetRequests::room(const Turn& turn) {
  bool begun = false;
  while (!waiting_.empty() && !crowded()) {
    begun = true;
    ClientGet get = waiting_.pop();
    if (state_.out_of_service.ok()) {
      begin(turn, std::move(get));
    } else {
      turn.out.gets.push_back({get.request, state_.out_of_service});
    }
  }
  return begun;
}

void GetRequests::expire_waiting(const Turn& turn) {
  waiting_.expire(turn.now.steady, [&](const ClientGet& get) {
    turn.out.gets.push_back(
        {get.request, absl::ResourceExhaustedError(fmt::format(
                          "get {}: {} gets of about {} bytes are under way, the limit is {} bytes",
                          quote(get.key), unanswered_, answer_bytes_, bytes_under_way_max))});
  });
}

void GetRequests::begin(const Turn& turn, ClientGet&& get) {
  const std::uint64_t number = turn.strand.next_number();
  const auto at = operations_.try_emplace(operations_.end(), number);
  at->second.get = std::move(get);
  at->second.started = turn.now.steady;
  ++unanswered_;
  ask_owners(turn, at);
}

void GetRequests::ask_owners(const Turn& turn, Operations::iterator at) {
  Running& running = at->second;
  const ClientGet& get = running.get;
  Owners owners = choose_owners(get, turn.now.steady);
  std::vector<std::string> candidates;
  if (get.sloppy) candidates = state_.stand_ins(get.key, get.store.n);
  const ContextBody* at_least = get.at_least.body();
  running.operation.emplace(mistaken(owners.first, Mutant::r_of_old_side, Mutant::r_of_new_side),
                            get.r, get.store.conflict,
                            at_least == nullptr ? History{} : at_least->history,
                            std::move(owners.reserve));
  running.stand_ins = StandIns(std::move(candidates));
  const TimePoint patience = StandIns::patience(get.deadline - turn.now.steady);
  running.patient_until = turn.now.steady + patience;
  running.retransmission.begin(turn.now.steady, patience);
  running.late_at = TimePoint{0};
  running.asked_later.clear();
  running.stamp = UINT64_MAX;
  for (const std::string& owner : owners.first.all()) ask(turn, at->first, running, owner, false);
  if (settle(turn, at)) set_timer(turn, at);
}

void GetRequests::view_changed(const Turn& turn) {
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto current = at++;
    if (current->second.answered) {
      operations_.erase(current);  // who is behind now, the next comparison finds out
    } else {
      ask_owners(turn, current);
    }
  }
}

TimePoint GetRequests::Running::asked_at(std::string_view node) const {
  for (const auto& [name, time] : asked_later) {
    if (name == node) return time;
  }
  return started;
}

bool GetRequests::ask_next(const Turn& turn, Operations::iterator at) {
  const std::optional<std::string> owner = at->second.operation->ask_next();
  if (!owner) return false;
  at->second.asked_later.emplace_back(*owner, turn.now.steady);
  ask(turn, at->first, at->second, *owner, false);
  return true;
}

void GetRequests::set_timer(const Turn& turn, Operations::iterator at) {
  const Running& running = at->second;
  TimePoint next = running.get.deadline;
  const auto consider = [&](TimePoint time) {
    if (time > turn.now.steady) next = std::min(next, time);
  };
  if (!running.stand_ins.exhausted()) consider(running.patient_until);
  if (running.operation->has_reserve()) consider(running.late_at);
  if (!running.answered) consider(running.retransmission.next());
  timers_.emplace(next, at->first);
}

void GetRequests::ask(const Turn& turn, std::uint64_t number, Running& running,
                      const std::string& node, bool stand_in) {
  if (!state_.is_self(node)) {
    turn.strand.outbox.send(node, message_type<ReadRequest>(), [&](Encoder& out) {
      encode_read_request(number, running.get.store, running.get.key, stand_in, out);
    });
    const FailureDetector::Prospect prospect = state_.detector.asked(node, turn.now.steady);
    running.late_at = std::max(running.late_at, turn.now.steady + prospect.late_after);
    if (!prospect.reachable) {
      running.operation->unreachable(node, state_.unreachable_reason(node, turn.now.steady));
    }
    return;
  }
  if (const std::string_view lost = state_.not_rebuilt(running.get.key);
      !stand_in && !lost.empty()) {
    return running.operation->refused(node, std::string(lost));
  }
  const auto answered = [&](std::uint64_t stamp, const EncodedSet& set) {
    if (!set.empty()) running.stamp = std::min(running.stamp, stamp);
    running.operation->answered(node, set);
  };
  absl::Status status;
  if (stand_in) {
    absl::StatusOr<Record> hint =
        replica_.read(turn, running.get.store, running.get.key, ReplicaReport::Role::stand_in);
    if (hint.ok()) answered(hint->generation, hint->replica.set);
    status = hint.status();
  } else {
    status = replica_.read_versions(turn, running.get.store, running.get.key,
                                    [&](const EncodedSet& set) { answered(state_.stamp(), set); });
  }
  if (status.ok()) return;
  running.operation->refused(node, fmt::format("damaged: {}", std::string(status.message())));
}

void GetRequests::reply(const Turn& turn, const std::string& from, ReadReply reply) {
  const auto at = operations_.find(reply.operation);
  if (at == operations_.end()) return;
  if (reply.answer == ReadReply::Answer::refused) {
    at->second.operation->refused(from, std::move(reply.reason));
  } else {
    state_.detector.round_trip(from, turn.now.steady - at->second.asked_at(from));
    if (!reply.set.empty()) at->second.stamp = std::min(at->second.stamp, reply.generation);
    // Up at once, for what is lost costs more than what waits; down slowly.
    answer_bytes_ = std::max(reply.set.bytes().size(), answer_bytes_ - answer_bytes_ / 8);
    at->second.operation->answered(from, reply.set);
  }
  settle(turn, at);
}

void GetRequests::ask_again(const Turn& turn, const std::string& from, std::uint64_t operation) {
  const auto at = operations_.find(operation);
  if (at == operations_.end()) return;
  const ReplicaReport* asked = at->second.operation->tally().find(from);
  if (asked == nullptr) return;
  ask(turn, operation, at->second, from, asked->role == ReplicaReport::Role::stand_in);
}

void GetRequests::peer_lost(const Turn& turn, const std::string& peer) {
  const std::string why = state_.unreachable_reason(peer, turn.now.steady);
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto next = std::next(at);
    at->second.operation->unreachable(peer, why);
    settle(turn, at);
    at = next;
  }
}

void GetRequests::tick(const Turn& turn) {
  expire_waiting(turn);
  while (!timers_.empty() && timers_.top().first <= turn.now.steady) {
    const auto at = operations_.find(timers_.top().second);
    timers_.pop();
    if (at == operations_.end()) continue;
    Running& running = at->second;
    if (running.get.deadline <= turn.now.steady) {
      const auto took =
          std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.steady - running.started);
      answer(turn, running,
             running.operation->failure(absl::StatusCode::kDeadlineExceeded, running.get.key,
                                        fmt::format(" within {} ms", took.count())));
      finish(turn, at);
      continue;
    }
    if (running.late_at <= turn.now.steady && !running.operation->enough()) ask_next(turn, at);
    if (running.patient_until <= turn.now.steady) {
      while (!running.operation->enough() && ask_next(turn, at)) {
      }
      running.stand_ins.note_silent(running.operation->tally(), [&](std::string_view node) {
        return state_.detector.heard_since(node, running.started);
      });
    }
    if (!running.answered && running.retransmission.next() <= turn.now.steady) {
      ask_the_late(turn, at);
    }
    if (settle(turn, at)) set_timer(turn, at);
  }
}

void GetRequests::ask_the_late(const Turn& turn, Operations::iterator at) {
  auto& [number, running] = *at;
  const Retransmission::Late late = running.retransmission.look(
      running.operation->tally(), state_.self.name, state_.detector, turn.now.steady,
      [&](std::string_view node) { return running.asked_at(node); });
  for (const std::string& node : late.pinged) state_.ping(turn.strand, node, turn.now.steady);
  for (const std::string& node : late.asked) ask_again(turn, node, number);
}

bool GetRequests::cancel(const Turn& turn, std::uint64_t request) {
  if (const std::optional<ClientGet> get = waiting_.remove(request)) {
    turn.out.gets.push_back({request, absl::CancelledError(fmt::format(
                                          "get {}: cancelled before it began", quote(get->key)))});
    return true;
  }
  const auto at = std::ranges::find_if(operations_, [request](const auto& entry) {
    return entry.second.get.request == request && !entry.second.answered;
  });
  if (at == operations_.end()) return false;
  answer(turn, at->second,
         at->second.operation->failure(absl::StatusCode::kCancelled, at->second.get.key,
                                       " when it was cancelled"));
  finish(turn, at);
  return true;
}

TimePoint GetRequests::next_tick() const {
  return timers_.empty() ? waiting_.next() : std::min(waiting_.next(), timers_.top().first);
}

bool GetRequests::settle(const Turn& turn, Operations::iterator at) {
  Running& running = at->second;
  GetOperation& operation = *running.operation;
  bool enough = operation.enough();
  while (!enough && operation.falls_short() && ask_next(turn, at)) enough = operation.enough();
  if (!enough && !operation.has_reserve()) {
    const auto usable = [this](std::string_view name) { return state_.detector.reachable(name); };
    for (auto pairs = running.stand_ins.choose(operation.tally(), usable); !pairs.empty();
         pairs = running.stand_ins.choose(operation.tally(), usable)) {
      for (const StandIns::Pair& pair : pairs) ask(turn, at->first, running, pair.stand_in, true);
    }
    enough = operation.enough();
  }
  if (enough) {
    if (!running.answered) {
      if (operation.complete()) {
        repair(turn, running);
        running.repaired = true;
      }
      answer(turn, running, answer_of(turn, running));
    }
  } else if (operation.hopeless()) {
    answer(turn, running, operation.failure(absl::StatusCode::kUnavailable, running.get.key, ""));
  }
  if (!running.answered || !operation.complete()) return true;
  finish(turn, at);
  return false;
}

void GetRequests::answer(const Turn& turn, Running& running, absl::StatusOr<GetAnswer> answer) {
  if (std::exchange(running.answered, true)) return;
  --unanswered_;
  turn.out.gets.push_back({running.get.request, std::move(answer)});
}

void GetRequests::finish(const Turn& turn, Operations::iterator at) {
  if (!at->second.repaired) repair(turn, at->second);
  operations_.erase(at);
  while (!timers_.empty() && !operations_.contains(timers_.top().second)) timers_.pop();
}

void GetRequests::repair(const Turn& turn, const Running& running) {
  for (const std::string& owner : running.operation->behind()) {
    if (!state_.is_self(owner)) {
      VersionSet latest;
      if (mutated(Mutant::repair_by_timestamp)) {
        latest.merge(running.operation->merged(), Conflict::last_write_wins);
      }
      turn.strand.outbox.send(
          owner, WriteRequest{.operation = turn.strand.next_number(),
                              .store = running.get.store,
                              .key = running.get.key,
                              .synced = false,
                              .generation = running.stamp,
                              .set = latest.empty() ? running.operation->merged() : latest});
      continue;
    }
    if (!state_.takes_writes().ok() || !state_.generation.owner_accepts(running.stamp)) continue;
    absl::StatusOr<Record> own = replica_.read_to_write(turn, running.get.store, running.get.key);
    if (!own.ok() || !turn.own.full().empty()) continue;
    if (own->replica.merge(running.operation->merged(), running.get.store.conflict)) {
      replica_.write(turn, *own, false);
    }
  }
}

GetAnswer GetRequests::answer_of(const Turn& turn, Running& running) const {
  // Once all is repaired, nobody needs the set any more.
  VersionSet set =
      running.repaired ? std::move(*running.operation).take_merged() : running.operation->merged();
  return make_answer(std::move(set), state_.context_body(running.get.store.name, running.get.key),
                     running.operation->outcome(), turn.now.wall_us);
}

}  // namespace dynamo::core

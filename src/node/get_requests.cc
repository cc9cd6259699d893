#include "node/get_requests.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "coordinator/outcome.h"

namespace dynamo::core {

namespace {

// A peer may send any number; the application's clock counts nanoseconds in 63 bits.
std::chrono::system_clock::time_point to_time_point(std::int64_t wall_us) {
  using Clock = std::chrono::system_clock;
  constexpr auto last =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::duration::max());
  return Clock::time_point(std::chrono::microseconds(
      std::clamp(wall_us, std::int64_t{0}, static_cast<std::int64_t>(last.count()))));
}

}  // namespace

void GetRequests::start(const Turn& turn, ClientGet get) {
  const std::vector<std::string> owners = state_.owners(get.key, get.store.n);
  std::vector<std::string> candidates;
  if (get.sloppy) candidates = state_.stand_ins(get.key, get.store.n);
  const ContextBody* at_least = get.at_least.body();
  GetOperation operation(owners, get.r, get.store.conflict,
                         at_least == nullptr ? History{} : at_least->history);
  const TimePoint timeout = get.deadline - turn.now.steady;
  const std::uint64_t number = state_.next_number();
  const auto at = operations_
                      .emplace(number, Running{.get = std::move(get),
                                               .operation = std::move(operation),
                                               .stand_ins = StandIns(std::move(candidates)),
                                               .started = turn.now.steady})
                      .first;
  Running& running = at->second;
  ++unanswered_;
  timers_.emplace(running.get.deadline, number);
  if (!running.stand_ins.exhausted()) {
    timers_.emplace(turn.now.steady + StandIns::patience(timeout), number);
  }
  for (const std::string& owner : owners) ask(turn, number, running, owner, false);
  settle(turn, at);
}

void GetRequests::ask(const Turn& turn, std::uint64_t number, Running& running,
                      const std::string& node, bool stand_in) {
  if (!state_.is_self(node)) {
    state_.outbox.send(node, ReadRequest{number, running.get.store, running.get.key, stand_in});
    state_.detector.asked(node, turn.now.steady);
    if (std::string why = state_.unreachable_reason(node, turn.now.steady); !why.empty()) {
      running.operation.unreachable(node, std::move(why));
    }
    return;
  }
  if (const std::string_view lost = state_.not_rebuilt(running.get.key);
      !stand_in && !lost.empty()) {
    return running.operation.refused(node, std::string(lost));
  }
  absl::StatusOr<Record> record =
      replica_.read(turn, running.get.store, running.get.key,
                    stand_in ? ReplicaReport::Role::stand_in : ReplicaReport::Role::primary);
  if (record.ok()) {
    if (!record->replica.set.empty()) {
      running.stamp = std::min(running.stamp, stand_in ? record->generation : state_.stamp());
    }
    running.operation.answered(node, std::move(record->replica.set));
  } else {
    running.operation.refused(node,
                              fmt::format("damaged: {}", std::string(record.status().message())));
  }
}

void GetRequests::reply(const Turn& turn, const std::string& from, ReadReply reply) {
  const auto at = operations_.find(reply.operation);
  if (at == operations_.end()) return;
  if (reply.answer == ReadReply::Answer::refused) {
    at->second.operation.refused(from, std::move(reply.reason));
  } else {
    state_.detector.round_trip(from, turn.now.steady - at->second.started);
    if (!reply.set.empty()) at->second.stamp = std::min(at->second.stamp, reply.generation);
    at->second.operation.answered(from, std::move(reply.set));
  }
  settle(turn, at);
}

void GetRequests::peer_lost(const Turn& turn, const std::string& peer) {
  const std::string why = state_.unreachable_reason(peer, turn.now.steady);
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto next = std::next(at);
    at->second.operation.unreachable(peer, why);
    settle(turn, at);
    at = next;
  }
}

void GetRequests::tick(const Turn& turn) {
  while (!timers_.empty() && timers_.top().first <= turn.now.steady) {
    const auto at = operations_.find(timers_.top().second);
    timers_.pop();
    if (at == operations_.end()) continue;
    Running& running = at->second;
    if (running.get.deadline <= turn.now.steady) {
      const auto took =
          std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.steady - running.started);
      answer(turn, running,
             running.operation.failure(absl::StatusCode::kDeadlineExceeded, running.get.key,
                                       fmt::format(" within {} ms", took.count())));
      finish(turn, at);
      continue;
    }
    running.stand_ins.note_silent(running.operation.tally(), [&](std::string_view node) {
      return state_.detector.heard_since(node, running.started);
    });
    settle(turn, at);
  }
}

bool GetRequests::cancel(const Turn& turn, std::uint64_t request) {
  const auto at = std::ranges::find_if(operations_, [request](const auto& entry) {
    return entry.second.get.request == request && !entry.second.answered;
  });
  if (at == operations_.end()) return false;
  answer(turn, at->second,
         at->second.operation.failure(absl::StatusCode::kCancelled, at->second.get.key,
                                      " when it was cancelled"));
  finish(turn, at);
  return true;
}

TimePoint GetRequests::next_tick() const {
  return timers_.empty() ? TimePoint::max() : timers_.top().first;
}

void GetRequests::settle(const Turn& turn, Operations::iterator at) {
  Running& running = at->second;
  GetOperation& operation = running.operation;
  if (!operation.enough()) {
    const auto usable = [this](std::string_view name) { return state_.detector.reachable(name); };
    for (auto pairs = running.stand_ins.choose(operation.tally(), usable); !pairs.empty();
         pairs = running.stand_ins.choose(operation.tally(), usable)) {
      for (const StandIns::Pair& pair : pairs) ask(turn, at->first, running, pair.stand_in, true);
    }
  }
  if (operation.enough()) {
    answer(turn, running, answer_of(turn, running));
  } else if (operation.hopeless()) {
    answer(turn, running, operation.failure(absl::StatusCode::kUnavailable, running.get.key, ""));
  }
  if (running.answered && operation.complete()) finish(turn, at);
}

void GetRequests::answer(const Turn& turn, Running& running, absl::StatusOr<GetAnswer> answer) {
  if (std::exchange(running.answered, true)) return;
  --unanswered_;
  turn.out.gets.push_back({running.get.request, std::move(answer)});
}

void GetRequests::finish(const Turn& turn, Operations::iterator at) {
  const Running& running = at->second;
  for (const std::string& owner : running.operation.behind()) {
    if (!state_.is_self(owner)) {
      VersionSet latest;
      if (mutated(Mutant::repair_by_timestamp)) {
        latest.merge(running.operation.merged(), Conflict::last_write_wins);
      }
      state_.outbox.send(owner,
                         WriteRequest{.operation = state_.next_number(),
                                      .store = running.get.store,
                                      .key = running.get.key,
                                      .synced = false,
                                      .generation = running.stamp,
                                      .set = latest.empty() ? running.operation.merged() : latest});
      continue;
    }
    if (!state_.takes_writes().ok() || !state_.generation.owner_accepts(running.stamp)) continue;
    absl::StatusOr<Record> own = replica_.read_to_write(turn, running.get.store, running.get.key);
    if (!own.ok() || !turn.own.full().empty()) continue;
    if (own->replica.merge(running.operation.merged(), running.get.store.conflict)) {
      replica_.write(turn, *own, false);
    }
  }
  operations_.erase(at);
}

GetAnswer GetRequests::answer_of(const Turn& turn, const Running& running) const {
  const VersionSet& set = running.operation.merged();
  GetAnswer answer;
  std::set<WriteId> shown;  // a write that was stored under two dots is one version (trap A8)
  for (const StoredVersion& version : set.versions()) {
    if (!version.visible_at(turn.now.wall_us) || !shown.insert(version.write_id).second) continue;
    answer.versions.push_back({.object = *version.object,
                               .dot = version.dot,
                               .written_at = to_time_point(version.written_at_us)});
  }
  ContextBody seen = state_.context_body(running.get.store.name, running.get.key);
  seen.history = set.history();
  seen.latest = set.latest();
  answer.context = make_context(std::move(seen));
  answer.outcome = running.operation.outcome();
  return answer;
}

}  // namespace dynamo::core

#include "node/get_requests.h"

#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>

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
  const std::uint64_t number = state_.next_number();
  const auto at = operations_
                      .emplace(number, Running{.get = std::move(get),
                                               .operation = {owners, 0, Conflict::keep_siblings}})
                      .first;
  Running& running = at->second;
  const ContextBody* at_least = running.get.at_least.body();
  running.operation = GetOperation(owners, running.get.r, running.get.store.conflict,
                                   at_least == nullptr ? History{} : at_least->history);
  running.started = turn.now.steady;
  deadlines_.emplace(running.get.deadline, number);

  for (const std::string& owner : owners) {
    if (state_.is_self(owner)) {
      const absl::StatusOr<Record> record = replica_.read(turn, running.get.store, running.get.key);
      if (record.ok()) {
        running.operation.answered(owner, record->replica.set);
      } else {
        running.operation.refused(
            owner, fmt::format("damaged: {}", std::string(record.status().message())));
      }
      continue;
    }
    state_.outbox.send(owner, ReadRequest{number, running.get.store, running.get.key});
    state_.detector.asked(owner, turn.now.steady);
    if (std::string why = state_.unreachable_reason(owner, turn.now.steady); !why.empty()) {
      running.operation.unreachable(owner, std::move(why));
    }
  }
  settle(turn, at);
}

void GetRequests::reply(const Turn& turn, const std::string& from, ReadReply reply) {
  const auto at = operations_.find(reply.operation);
  if (at == operations_.end()) return;
  if (reply.answer == ReadReply::Answer::refused) {
    at->second.operation.refused(from, std::move(reply.reason));
  } else {
    state_.detector.round_trip(from, turn.now.steady - at->second.started);
    at->second.operation.answered(from, reply.set);
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
  while (!deadlines_.empty() && deadlines_.top().first <= turn.now.steady) {
    const auto at = operations_.find(deadlines_.top().second);
    deadlines_.pop();
    if (at == operations_.end()) continue;
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.steady - at->second.started);
    finish(turn, at,
           at->second.operation.failure(absl::StatusCode::kDeadlineExceeded, at->second.get.key,
                                        fmt::format(" within {} ms", took.count())));
  }
}

bool GetRequests::cancel(const Turn& turn, std::uint64_t request) {
  const auto at = std::ranges::find_if(
      operations_, [request](const auto& entry) { return entry.second.get.request == request; });
  if (at == operations_.end()) return false;
  finish(turn, at,
         at->second.operation.failure(absl::StatusCode::kCancelled, at->second.get.key,
                                      " when it was cancelled"));
  return true;
}

TimePoint GetRequests::next_tick() const {
  return deadlines_.empty() ? TimePoint::max() : deadlines_.top().first;
}

void GetRequests::settle(const Turn& turn, Operations::iterator at) {
  const GetOperation& operation = at->second.operation;
  if (operation.enough()) return finish(turn, at, answer_of(turn, at->second));
  if (!operation.hopeless()) return;
  finish(turn, at, operation.failure(absl::StatusCode::kUnavailable, at->second.get.key, ""));
}

void GetRequests::finish(const Turn& turn, Operations::iterator at,
                         absl::StatusOr<GetAnswer> answer) {
  turn.out.gets.push_back({at->second.get.request, std::move(answer)});
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

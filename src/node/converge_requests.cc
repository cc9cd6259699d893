#include "node/converge_requests.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace dynamo::core {

namespace {

// Of one peer: more than an application on it can be waiting for with good reason.
constexpr std::size_t tasks_max = 1024;

std::string work_left(std::uint64_t partitions, std::uint64_t hints) {
  std::string text;
  if (partitions > 0) {
    text = fmt::format("{} partition{} left", partitions, partitions == 1 ? "" : "s");
  }
  if (hints > 0) {
    text += fmt::format("{}{} hint{} for others", text.empty() ? "" : " and ", hints,
                        hints == 1 ? "" : "s");
  }
  return text;
}

}  // namespace

ConvergeRequests::Task ConvergeRequests::make_task(const Turn& turn, TimePoint until) {
  Task task{.hints_until = state_.hints.last_revision(), .until = until};
  for (int partition = 0; partition < state_.ring->partitions(); ++partition) {
    const auto owners = state_.ring->all_owners(partition, 1);
    if (owners.empty() || !state_.is_self(state_.ring->members()[owners.front()].name)) continue;
    task.left.emplace_back(partition, rounds_.hurry(partition, turn.now.steady, until));
  }
  return task;
}

void ConvergeRequests::strike_off(Task& task) const {
  if (task.left.empty()) return;  // of a node without a view, for one
  // What this node owns no more was complete where it went.
  const int n = std::min(state_.largest_n(), state_.ring->depth());
  std::erase_if(task.left, [&](const auto& one) {
    return rounds_.completed(one.first) > one.second ||
           !state_.owns(state_.self.name, n, static_cast<std::uint32_t>(one.first));
  });
}

// A node that is being rebuilt may not even know every store.
std::uint64_t ConvergeRequests::left_of(const Task& task) const {
  if (!state_.generation.rebuilding) return task.left.size();
  return std::max({task.left.size(), state_.rebuilding.size(), std::size_t{1}});
}

bool ConvergeRequests::is_done(const Task& task) const {
  return left_of(task) == 0 && state_.hints.left_of(task.hints_until) == 0;
}

std::string ConvergeRequests::trouble_of(const Task& task) const {
  for (const auto& [partition, number] : task.left) {
    const std::string_view trouble = rounds_.trouble(partition);
    if (!trouble.empty()) return fmt::format("partition {}: {}", partition, trouble);
  }
  if (state_.generation.rebuilding) return "its disk was lost, and is being rebuilt";
  return {};
}

void ConvergeRequests::start(const Turn& turn, const ClientWait& converge) {
  if (!state_.takes_writes().ok()) {
    turn.out.waits.push_back({converge.request, state_.takes_writes()});
    return;
  }
  const std::uint64_t number = state_.next_number();
  waiting_.emplace(number, Waiting{.request = converge.request,
                                   .started = turn.now.steady,
                                   .deadline = converge.deadline});
  tick(turn);
}

bool ConvergeRequests::cancel(const Turn& turn, std::uint64_t request) {
  const auto at = std::ranges::find_if(
      waiting_, [&](const auto& entry) { return entry.second.request == request; });
  if (at == waiting_.end()) return false;
  turn.out.waits.push_back({request, absl::CancelledError("await_converged: cancelled")});
  waiting_.erase(at);
  return true;
}

void ConvergeRequests::begin(const Turn& turn, Waiting& waiting) {
  waiting.begun = true;
  waiting.own = make_task(turn, waiting.deadline);
  for (const Member& member : state_.ring->members()) {
    if (!state_.is_self(member.name)) waiting.members.try_emplace(member.name);
  }
}

void ConvergeRequests::ask(const Turn& turn, std::uint64_t number, Waiting& waiting) {
  waiting.ask_at = turn.now.steady + ask_again;
  const auto timeout =
      std::chrono::duration_cast<std::chrono::microseconds>(waiting.deadline - turn.now.steady);
  for (const auto& [name, asked] : waiting.members) {
    if (asked.done) continue;
    state_.outbox.send(name, ConvergeRequest{.operation = number,
                                             .timeout_us = static_cast<std::uint64_t>(
                                                 std::max<std::int64_t>(timeout.count(), 0))});
    state_.detector.asked(name, turn.now.steady);
  }
}

void ConvergeRequests::take(const Turn& turn, const std::string& from,
                            const ConvergeRequest& request) {
  if (!state_.takes_writes().ok() || tasks_.size() >= tasks_max) return;
  auto at = tasks_.find({from, request.operation});
  if (at == tasks_.end()) {
    const auto timeout = std::chrono::microseconds(static_cast<std::int64_t>(request.timeout_us));
    at = tasks_
             .emplace(Operation{from, request.operation},
                      make_task(turn, turn.now.steady + timeout + 2 * ask_again))
             .first;
  }
  strike_off(at->second);
  state_.outbox.send(from, ConvergeReply{.operation = request.operation,
                                         .left = left_of(at->second),
                                         .hints = state_.hints.left_of(at->second.hints_until),
                                         .reason = trouble_of(at->second)});
}

void ConvergeRequests::take(const Turn& turn, const std::string& from, const ConvergeReply& reply) {
  const auto at = waiting_.find(reply.operation);
  if (at == waiting_.end()) return;
  const auto member = at->second.members.find(from);
  if (member == at->second.members.end()) return;
  member->second.answered = true;
  member->second.left = reply.left;
  member->second.hints = reply.hints;
  member->second.trouble = reply.reason;
  member->second.done = member->second.done || (reply.left == 0 && reply.hints == 0);
  seen_ended_ = 0;  // there is something to look at
  look(turn);
}

void ConvergeRequests::look(const Turn& turn) {
  const std::uint64_t ended =
      rounds_.rounds_ended() + state_.hints.erased() + (state_.generation.rebuilding ? 1 : 2);
  if ((waiting_.empty() && tasks_.empty()) || seen_ended_ == ended) return;
  seen_ended_ = ended;
  for (auto& [operation, task] : tasks_) {
    if (task.told) continue;
    strike_off(task);
    if (!is_done(task)) continue;
    task.told = true;
    state_.outbox.send(operation.first, ConvergeReply{.operation = operation.second});
  }
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    Waiting& waiting = at->second;
    strike_off(waiting.own);
    const bool done =
        waiting.begun && is_done(waiting.own) &&
        std::ranges::all_of(waiting.members, [](const auto& one) { return one.second.done; });
    if (done) turn.out.waits.push_back({waiting.request, absl::OkStatus()});
    at = done ? waiting_.erase(at) : std::next(at);
  }
}

// Says who it was: first those that cannot be reached, then what the others are waiting for.
absl::Status ConvergeRequests::late(const Turn& turn, const Waiting& waiting) const {
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.steady - waiting.started);
  std::vector<std::string> reasons;
  if (!waiting.begun) reasons.emplace_back("this node has no view of the cluster yet");
  if (state_.ring != nullptr) {
    for (const Member& member : state_.ring->members()) {
      if (state_.is_self(member.name)) continue;
      const std::string why = state_.unreachable_reason(member.name, turn.now.steady);
      if (!why.empty()) reasons.push_back(fmt::format("{} is unreachable: {}", member.name, why));
    }
  }
  const auto add = [&](const std::string& name, std::uint64_t left, std::uint64_t hints,
                       const std::string& trouble) {
    reasons.push_back(fmt::format("{} has {}{}", name, work_left(left, hints),
                                  trouble.empty() ? "" : fmt::format(" ({})", trouble)));
  };
  if (waiting.begun && !is_done(waiting.own)) {
    add(state_.self.name, left_of(waiting.own), state_.hints.left_of(waiting.own.hints_until),
        trouble_of(waiting.own));
  }
  for (const auto& [name, asked] : waiting.members) {
    if (asked.done) continue;
    if (asked.answered) {
      add(name, asked.left, asked.hints, asked.trouble);
    } else if (state_.unreachable_reason(name, turn.now.steady).empty()) {
      reasons.push_back(fmt::format("{} has not answered", name));
    }
  }
  return absl::DeadlineExceededError(
      fmt::format("await_converged: not within {} ms: {}", took.count(), fmt::join(reasons, "; ")));
}

void ConvergeRequests::tick(const Turn& turn) {
  const TimePoint now = turn.now.steady;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    Waiting& waiting = at->second;
    if (waiting.deadline <= now) {
      strike_off(waiting.own);
      turn.out.waits.push_back({waiting.request, late(turn, waiting)});
      at = waiting_.erase(at);
      continue;
    }
    if (!waiting.begun && state_.ring != nullptr) begin(turn, waiting);
    if (waiting.begun && waiting.ask_at <= now) ask(turn, at->first, waiting);
    ++at;
  }
  std::erase_if(tasks_, [&](const auto& entry) { return entry.second.until <= now; });
  look(turn);
}

TimePoint ConvergeRequests::next_tick() const {
  TimePoint next = TimePoint::max();
  for (const auto& [number, waiting] : waiting_) {
    next = std::min(next, waiting.deadline);
    if (waiting.begun) next = std::min(next, waiting.ask_at);
  }
  for (const auto& [operation, task] : tasks_) next = std::min(next, task.until);
  return next;
}

}  // namespace dynamo::core

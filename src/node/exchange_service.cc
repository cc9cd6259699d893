#include "node/exchange_service.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/engine_keys.h"
#include "node/stored_partition.h"
#include "repair/exchange_answers.h"

namespace dynamo::core {

template <class Reply>
bool ExchangeService::admit(const Turn& turn, const std::string& from, const ExchangeScope& scope,
                            Reply& reply) {
  reply.answer = ExchangeAnswer::refused;
  // As a write: what is compared is to be brought together.
  const absl::Status admitted =
      service_.admit_store(turn, from, scope.store, ReplicaService::Access::write);
  if (!admitted.ok()) {
    reply.reason = std::string(admitted.message());
    return false;
  }
  const int n = std::min(scope.store.n, state_.ring->depth());
  if (scope.partition >= static_cast<std::uint32_t>(state_.ring->partitions())) {
    reply.reason = fmt::format("there is no partition {}", scope.partition);
    return false;
  }
  const auto partition = static_cast<int>(scope.partition);
  const ExchangeScope own{.owners = state_.ring->owners_mark(partition, n),
                          .generation = state_.stored_generation.sealed};
  reply.reason = scope_difference(scope, own);
  if (!reply.reason.empty()) return false;
  // Whoever asks is another owner, or one no more, who gives what he has.
  if (!state_.owns(state_.self.name, scope.store.n, scope.partition)) {
    reply.reason = fmt::format("{} is no owner of partition {}", state_.self.name, scope.partition);
    return false;
  }
  // An answer is this node's word that it counts by this move from now on.
  const bool stored =
      state_.stored_view >= state_.view.number || mutated(Mutant::move_before_view_stored);
  if (state_.ring->is_moving(partition) && !stored) {
    reply.answer = ExchangeAnswer::not_ready;
    return false;
  }
  if (!StoredPartition::ready(state_, scope.store, scope.partition)) {
    reply.answer = ExchangeAnswer::not_ready;
    return false;
  }
  return true;
}

template <class Reply, class Request>
ExchangeService::Served<Reply> ExchangeService::serve(const Turn& turn, const std::string& from,
                                                      const Request& request) {
  Served<Reply> served{.reply = {.operation = request.operation}};
  const ExchangeScope& scope = request.scope;
  if (!admit(turn, from, scope, served.reply)) return served;
  StoredPartition records(state_, replica_, turn, scope.store, scope.partition);
  served.reply = answer(request, records);
  if (served.reply.answer == ExchangeAnswer::ok) {
    served.writes = state_.trees.pending(store_place(scope.store.name), scope.partition);
  }
  return served;
}

template <class Reply, class Request>
void ExchangeService::answer_later(const Turn& turn, const std::string& from,
                                   const Request& request) {
  auto [reply, writes] = serve<Reply>(turn, from, request);
  if (writes.empty() || mutated(Mutant::exchange_from_memory)) {
    state_.outbox.send(from, std::move(reply), Lane::bulk);
    return;
  }
  const std::uint64_t number = state_.next_number();
  for (const std::uint64_t write : writes) by_write_.emplace(write, number);
  waiting_.emplace(number, Waiting{from, std::move(reply), writes.size()});
}

void ExchangeService::take(const Turn& turn, const std::string& from, const TreeRequest& request) {
  answer_later<TreeReply>(turn, from, request);
}

void ExchangeService::take(const Turn& turn, const std::string& from, const LeafRequest& request) {
  answer_later<LeafReply>(turn, from, request);
}

void ExchangeService::take(const Turn& turn, const std::string& from, const SetsRequest& request) {
  answer_later<SetsReply>(turn, from, request);
}

void ExchangeService::synced(std::uint64_t write) { settle(write, absl::OkStatus()); }

void ExchangeService::failed(std::uint64_t write, const absl::Status& status) {
  settle(write, status);
}

void ExchangeService::settle(std::uint64_t write, const absl::Status& status) {
  const auto [first, last] = by_write_.equal_range(write);
  for (auto by_write = first; by_write != last; ++by_write) {
    const auto at = waiting_.find(by_write->second);
    Waiting& waiting = at->second;
    std::visit(
        [&](auto& reply) {
          if (!status.ok() && reply.answer == ExchangeAnswer::ok) {
            reply = {.operation = reply.operation,
                     .answer = ExchangeAnswer::refused,
                     .reason = std::string(status.message())};
          }
          if (--waiting.writes == 0) state_.outbox.send(waiting.to, std::move(reply), Lane::bulk);
        },
        waiting.reply);
    if (waiting.writes == 0) waiting_.erase(at);
  }
  by_write_.erase(first, last);
}

}  // namespace dynamo::core

#include "node/exchange_service.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "node/stored_partition.h"
#include "repair/exchange_answers.h"

namespace dynamo::core {

template <class Reply>
bool ExchangeService::admit(const Turn& turn, const std::string& from, const ExchangeScope& scope,
                            Reply& reply) {
  reply.answer = ExchangeAnswer::refused;
  const absl::Status admitted = service_.admit_store(turn, from, scope.store);
  if (!admitted.ok()) {
    reply.reason = std::string(admitted.message());
    return false;
  }
  const ExchangeScope own{.view = state_.ring->view_number()};
  reply.reason = scope_difference(scope, own);
  if (!reply.reason.empty()) return false;
  if (!state_.owns(from, scope.store.n, scope.partition) ||
      !state_.owns(state_.self.name, scope.store.n, scope.partition)) {
    reply.reason = fmt::format("{} and {} are not both owners of partition {}", from,
                               state_.self.name, scope.partition);
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
  if (admit(turn, from, request.scope, served.reply)) {
    StoredPartition records(state_, replica_, turn, request.scope.store, request.scope.partition);
    served.reply = answer(request, records);
    served.writes = records.writes();
  }
  return served;
}

void ExchangeService::take(const Turn& turn, const std::string& from, const TreeRequest& request) {
  state_.outbox.send(from, serve<TreeReply>(turn, from, request).reply, Lane::bulk);
}

void ExchangeService::take(const Turn& turn, const std::string& from, const LeafRequest& request) {
  state_.outbox.send(from, serve<LeafReply>(turn, from, request).reply, Lane::bulk);
}

void ExchangeService::take(const Turn& turn, const std::string& from, const SetsRequest& request) {
  auto [reply, writes] = serve<SetsReply>(turn, from, request);
  if (writes.empty() || reply.answer != ExchangeAnswer::ok) {
    state_.outbox.send(from, std::move(reply), Lane::bulk);
    return;
  }
  const std::uint64_t number = state_.next_number();
  for (const std::uint64_t write : writes) by_write_.emplace(write, number);
  waiting_.emplace(number, Waiting{from, std::move(reply), writes.size()});
}

void ExchangeService::synced(std::uint64_t write) { settle(write, absl::OkStatus()); }

void ExchangeService::failed(std::uint64_t write, const absl::Status& status) {
  settle(write, status);
}

void ExchangeService::settle(std::uint64_t write, const absl::Status& status) {
  const auto by_write = by_write_.find(write);
  if (by_write == by_write_.end()) return;
  const auto at = waiting_.find(by_write->second);
  by_write_.erase(by_write);
  Waiting& waiting = at->second;
  if (!status.ok() && waiting.reply.answer == ExchangeAnswer::ok) {
    waiting.reply = {.operation = waiting.reply.operation,
                     .answer = ExchangeAnswer::refused,
                     .reason = std::string(status.message())};
  }
  if (--waiting.writes > 0) return;
  state_.outbox.send(waiting.to, std::move(waiting.reply), Lane::bulk);
  waiting_.erase(at);
}

}  // namespace dynamo::core

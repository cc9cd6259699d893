#include <dynamo/store.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/block_pool.h"
#include "base/check.h"
#include "coordinator/outcome.h"
#include "host/store_state.h"
#include "store/handler_scope.h"
#include "store/reconcile.h"
#include "store/requests.h"

namespace dynamo {

namespace {

using host::StoreState;

absl::Status may_block(const StoreState& state) {
  if (detail::in_handler()) {
    return absl::FailedPreconditionError(
        "a blocking call inside a handler or a reconciler; use the async form");
  }
  return state.host->may_block();
}

// The node itself ends an operation at its deadline. Only when nobody runs the executor that was
// lent to it does the caller's own clock have to.
constexpr auto grace = std::chrono::milliseconds(100);

template <class Answer>
struct Call {
  host::Waiter waiter;
  absl::StatusOr<Answer> answer = absl::DeadlineExceededError("");
};

// Shared with the node, which may answer after we have stopped waiting.
template <class Answer>
std::shared_ptr<Call<Answer>> make_call() {
  return std::allocate_shared<Call<Answer>>(core::PoolAllocator<Call<Answer>>());
}

template <class Answer>
absl::StatusOr<Answer> await(host::Host& host, const std::shared_ptr<Call<Answer>>& call,
                             std::uint64_t request, core::TimePoint deadline, const char* operation,
                             std::string_view key) {
  if (host.wait(call->waiter, deadline + grace)) return std::move(call->answer);
  host.cancel(request);
  return absl::DeadlineExceededError(
      fmt::format("{} {}: nothing ran the executor that was given to the node, so the outcome is "
                  "unknown",
                  operation, core::quote(key)));
}

}  // namespace

const std::string& GetResult::object() const& {
  DYNAMO_CHECK(versions.size() == 1);
  return versions.front().object;
}

std::string GetResult::object() && {
  DYNAMO_CHECK(versions.size() == 1);
  return std::move(versions.front().object);
}

namespace {

// A get that is under way, or was refused.
struct Asked {
  std::optional<absl::StatusOr<core::GetAnswer>> here{};  // answered already
  std::shared_ptr<Call<core::GetAnswer>> call{};
  std::uint64_t request = 0;
  core::TimePoint deadline{};
  absl::Status refused{};
};

Asked ask(const StoreState& state, std::string_view key, const ReadOptions& options,
          host::Host::By by) {
  if (auto here = host::answer_here(state, key, options)) return {.here = std::move(here)};
  absl::StatusOr<core::ClientGet> get = host::checked_get(state, std::string(key), options);
  if (!get.ok()) return {.refused = get.status()};
  Asked asked{.call = make_call<core::GetAnswer>(), .deadline = get->deadline};
  asked.request = state.host->get(
      *std::move(get),
      [call = asked.call](absl::StatusOr<core::GetAnswer> answer) {
        call->answer = std::move(answer);
        call->waiter.set();
      },
      by);
  return asked;
}

absl::StatusOr<GetResult> answer_of(const StoreState& state, std::string_view key, Asked asked) {
  if (!asked.refused.ok()) return asked.refused;
  const Reconciler* const reconciler = state.options.reconciler.get();
  if (asked.here) return host::reconciled(key, reconciler, *std::move(asked.here));
  return host::reconciled(
      key, reconciler, await(*state.host, asked.call, asked.request, asked.deadline, "get", key));
}

}  // namespace

absl::StatusOr<GetResult> Store::get(std::string_view key, const ReadOptions& options) const {
  if (absl::Status status = may_block(*state_); !status.ok()) return status;
  return answer_of(*state_, key, ask(*state_, key, options, host::Host::By::caller));
}

namespace {

absl::StatusOr<PutResult> blocking_put(const StoreState& state,
                                       absl::StatusOr<core::ClientPut> put) {
  if (absl::Status status = may_block(state); !status.ok()) return status;
  if (!put.ok()) return put.status();
  const core::TimePoint deadline = put->deadline;
  const std::string key = put->key;
  const auto call = make_call<core::PutAnswer>();
  const std::uint64_t request = state.host->put(
      *std::move(put),
      [call](absl::StatusOr<core::PutAnswer> answer) {
        call->answer = std::move(answer);
        call->waiter.set();
      },
      host::Host::By::caller);
  absl::StatusOr<core::PutAnswer> answer = await(*state.host, call, request, deadline, "put", key);
  if (!answer.ok()) return answer.status();
  return host::to_result(*std::move(answer));
}

}  // namespace

absl::StatusOr<PutResult> Store::put(std::string_view key, const Context& context,
                                     std::string_view object, const WriteOptions& options) const {
  return blocking_put(
      *state_, host::checked_put(*state_, std::string(key), context, std::string(object), options));
}

absl::StatusOr<PutResult> Store::erase(std::string_view key, const Context& context,
                                       const WriteOptions& options) const {
  return blocking_put(*state_,
                      host::checked_put(*state_, std::string(key), context, std::nullopt, options));
}

absl::StatusOr<PutResult> Store::update(
    std::string_view key, absl::FunctionRef<std::optional<std::string>(const GetResult&)> change,
    const WriteOptions& options) const {
  const absl::StatusOr<GetResult> found = get(key, {.timeout = options.timeout});
  if (!found.ok()) return found.status();
  std::optional<std::string> object = change(*found);
  if (object) return put(key, found->context, *object, options);
  if (found->found()) return erase(key, found->context, options);
  return PutResult{.context = found->context, .outcome = found->outcome};
}

std::vector<absl::StatusOr<GetResult>> Store::get_many(std::span<const std::string_view> keys,
                                                       const ReadOptions& options) const {
  std::vector<absl::StatusOr<GetResult>> results(keys.size(), absl::UnknownError(""));
  if (absl::Status status = may_block(*state_); !status.ok()) {
    std::ranges::fill(results, status);
    return results;
  }
  // All are under way before the first is waited for.
  std::vector<Asked> asked;
  asked.reserve(keys.size());
  for (const std::string_view key : keys) {
    asked.push_back(ask(*state_, key, options, host::Host::By::environment));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    results[i] = answer_of(*state_, keys[i], std::move(asked[i]));
  }
  return results;
}

std::vector<std::string> Store::preference_list(std::string_view key) const {
  return state_->host->owners(key, state_->facts.n);
}

std::string_view Store::name() const { return state_->facts.name; }

Store::executor_type Store::get_executor() const { return state_->host->executor(); }

}  // namespace dynamo

#include <dynamo/store.h>

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "coordinator/outcome.h"
#include "host/store_state.h"
#include "store/handler_scope.h"
#include "store/options.h"
#include "store/reconcile.h"

namespace dynamo {

namespace {

using host::StoreState;

absl::StatusOr<core::ClientGet> checked_get(const StoreState& state, std::string key,
                                            const ReadOptions& options) {
  const int r = options.r.value_or(state.options.quorum.r);
  const auto timeout = options.timeout.value_or(state.options.timeout);
  if (absl::Status status = host::check_key("get", key); !status.ok()) return status;
  if (absl::Status status = host::check_quorum("r", r, state.facts.n); !status.ok()) return status;
  if (absl::Status status = host::check_timeout(timeout); !status.ok()) return status;
  return core::ClientGet{.store = state.facts,
                         .key = std::move(key),
                         .r = r,
                         .deadline = state.host->now().steady + timeout};
}

absl::StatusOr<core::ClientPut> checked_put(const StoreState& state, std::string key,
                                            Context context, std::optional<std::string> object,
                                            const WriteOptions& options) {
  const int w = options.w.value_or(state.options.quorum.w);
  const auto timeout = options.timeout.value_or(state.options.timeout);
  if (absl::Status status = host::check_key(object ? "put" : "erase", key); !status.ok())
    return status;
  if (object) {
    if (absl::Status status = host::check_object(key, *object, state.options); !status.ok())
      return status;
  } else if (context.empty() && state.facts.conflict == core::Conflict::keep_siblings) {
    return absl::InvalidArgumentError(fmt::format(
        "erase {}: the context is empty, so it would delete nothing; pass the context of a get",
        core::quoted(key)));
  }
  if (absl::Status status = host::check_quorum("w", w, state.facts.n); !status.ok()) return status;
  if (absl::Status status = host::check_timeout(timeout); !status.ok()) return status;
  return core::ClientPut{.store = state.facts,
                         .key = std::move(key),
                         .context = std::move(context),
                         .object = std::move(object),
                         .id = options.id,
                         .w = w,
                         .siblings_max = state.options.siblings_max,
                         .synced = state.options.durability == Durability::synced,
                         .deadline = state.host->now().steady + timeout};
}

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

template <class Answer>
absl::StatusOr<Answer> await(host::Host& host, const std::shared_ptr<Call<Answer>>& call,
                             std::uint64_t request, core::TimePoint deadline,
                             std::string_view what) {
  if (host.wait(call->waiter, deadline + grace)) return std::move(call->answer);
  host.cancel(request);
  return absl::DeadlineExceededError(fmt::format(
      "{}: nothing ran the executor that was given to the node, so the outcome is unknown", what));
}

PutResult to_result(core::PutAnswer answer) {
  return {.context = std::move(answer.context), .outcome = std::move(answer.outcome)};
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

absl::StatusOr<GetResult> Store::get(std::string_view key, const ReadOptions& options) const {
  if (absl::Status status = may_block(*state_); !status.ok()) return status;
  absl::StatusOr<core::ClientGet> get = checked_get(*state_, std::string(key), options);
  if (!get.ok()) return get.status();
  const core::TimePoint deadline = get->deadline;
  // Shared with the node, which may answer after we have stopped waiting.
  const auto call = std::make_shared<Call<core::GetAnswer>>();
  const std::uint64_t request =
      state_->host->get(*std::move(get), [call](absl::StatusOr<core::GetAnswer> answer) {
        call->answer = std::move(answer);
        call->waiter.set();
      });
  return host::reconciled(
      key, state_->options.reconciler.get(),
      await(*state_->host, call, request, deadline, "get " + core::quoted(key)));
}

namespace {

absl::StatusOr<PutResult> blocking_put(const StoreState& state,
                                       absl::StatusOr<core::ClientPut> put) {
  if (absl::Status status = may_block(state); !status.ok()) return status;
  if (!put.ok()) return put.status();
  const core::TimePoint deadline = put->deadline;
  const std::string what = "put " + core::quoted(put->key);
  const auto call = std::make_shared<Call<core::PutAnswer>>();  // shared as in get()
  const std::uint64_t request =
      state.host->put(*std::move(put), [call](absl::StatusOr<core::PutAnswer> answer) {
        call->answer = std::move(answer);
        call->waiter.set();
      });
  absl::StatusOr<core::PutAnswer> answer = await(*state.host, call, request, deadline, what);
  if (!answer.ok()) return answer.status();
  return to_result(*std::move(answer));
}

}  // namespace

absl::StatusOr<PutResult> Store::put(std::string_view key, const Context& context,
                                     std::string_view object, const WriteOptions& options) const {
  return blocking_put(
      *state_, checked_put(*state_, std::string(key), context, std::string(object), options));
}

absl::StatusOr<PutResult> Store::erase(std::string_view key, const Context& context,
                                       const WriteOptions& options) const {
  return blocking_put(*state_,
                      checked_put(*state_, std::string(key), context, std::nullopt, options));
}

void Store::start_get(std::string key, const ReadOptions& options,
                      detail::ErasedHandler<GetResult> handler) const {
  absl::StatusOr<core::ClientGet> get = checked_get(*state_, std::move(key), options);
  if (!get.ok()) {
    handler.complete([status = get.status()]() -> absl::StatusOr<GetResult> { return status; });
    return;
  }
  const auto hook = handler.cancel;
  std::string name = get->key;
  const std::uint64_t request = state_->host->get(
      *std::move(get),
      [complete = std::move(handler.complete), reconciler = state_->options.reconciler,
       name = std::move(name)](absl::StatusOr<core::GetAnswer> answer) mutable {
        complete([reconciler = std::move(reconciler), name = std::move(name),
                  answer = std::move(answer)]() mutable {
          return host::reconciled(name, reconciler.get(), std::move(answer));
        });
      });
  if (hook) hook->arm([host = state_->host, request] { host->cancel(request); });
}

void Store::start_put(std::string key, Context context, std::optional<std::string> object,
                      const WriteOptions& options, detail::ErasedHandler<PutResult> handler) const {
  absl::StatusOr<core::ClientPut> put =
      checked_put(*state_, std::move(key), std::move(context), std::move(object), options);
  if (!put.ok()) {
    handler.complete([status = put.status()]() -> absl::StatusOr<PutResult> { return status; });
    return;
  }
  const auto hook = handler.cancel;
  const std::uint64_t request = state_->host->put(
      *std::move(put),
      [complete = std::move(handler.complete)](absl::StatusOr<core::PutAnswer> answer) mutable {
        complete([answer = std::move(answer)]() mutable -> absl::StatusOr<PutResult> {
          if (!answer.ok()) return answer.status();
          return to_result(*std::move(answer));
        });
      });
  if (hook) hook->arm([host = state_->host, request] { host->cancel(request); });
}

std::string_view Store::name() const { return state_->facts.name; }

Store::executor_type Store::get_executor() const { return state_->host->executor(); }

}  // namespace dynamo

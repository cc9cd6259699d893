#include "store/requests.h"

#include <utility>

#include <fmt/format.h>

#include "coordinator/outcome.h"
#include "store/options.h"

namespace dynamo::host {

namespace {

int r_of(const StoreState& state, const ReadOptions& options) {
  return options.r.value_or(state.options.quorum.r);
}

std::chrono::milliseconds timeout_of(const StoreState& state, const ReadOptions& options) {
  return options.timeout.value_or(state.options.timeout);
}

absl::Status check_get(const StoreState& state, std::string_view key, const ReadOptions& options) {
  if (absl::Status status = check_key("get", key); !status.ok()) return status;
  if (absl::Status status = check_quorum("r", r_of(state, options), state.facts.n); !status.ok()) {
    return status;
  }
  return check_timeout(timeout_of(state, options));
}

}  // namespace

std::optional<absl::StatusOr<core::GetAnswer>> answer_here(const StoreState& state,
                                                           std::string_view key,
                                                           const ReadOptions& options) {
  // Only the machine knows whether a context belongs to this cluster.
  const bool demands = options.at_least != nullptr && !options.at_least->empty();
  if (r_of(state, options) != 1 || demands || !check_get(state, key, options).ok()) {
    return std::nullopt;
  }
  std::optional<core::GetAnswer> answer = state.host->get_here(state.facts, key);
  if (!answer) return std::nullopt;
  return *std::move(answer);
}

absl::StatusOr<core::ClientGet> checked_get(const StoreState& state, std::string key,
                                            const ReadOptions& options) {
  const int r = r_of(state, options);
  const auto timeout = timeout_of(state, options);
  if (absl::Status status = check_get(state, key, options); !status.ok()) return status;
  const core::TimePoint asked = state.host->steady_now();
  return core::ClientGet{.store = state.facts,
                         .key = std::move(key),
                         .r = r,
                         .sloppy = state.options.sloppy,
                         .at_least = options.at_least == nullptr ? Context() : *options.at_least,
                         .asked = asked,
                         .deadline = asked + timeout};
}

absl::StatusOr<core::ClientPut> checked_put(const StoreState& state, std::string key,
                                            Context context, std::optional<std::string> object,
                                            const WriteOptions& options) {
  const int w = options.w.value_or(state.options.quorum.w);
  const auto timeout = options.timeout.value_or(state.options.timeout);
  const auto ttl = options.ttl ? options.ttl : state.options.ttl;  // a delete does not expire
  if (absl::Status status = check_ttl(ttl); !status.ok()) return status;
  if (absl::Status status = check_key(object ? "put" : "erase", key); !status.ok()) return status;
  if (object) {
    if (absl::Status status = check_object(key, *object, state.options); !status.ok())
      return status;
  } else if (context.empty() && state.facts.conflict == core::Conflict::keep_siblings) {
    return absl::InvalidArgumentError(fmt::format(
        "erase {}: the context is empty, so it would delete nothing; pass the context of a get",
        core::quote(key)));
  }
  if (absl::Status status = check_quorum("w", w, state.facts.n); !status.ok()) return status;
  if (absl::Status status = check_timeout(timeout); !status.ok()) return status;
  const bool expires = object.has_value();
  const core::TimePoint asked = state.host->steady_now();
  return core::ClientPut{.store = state.facts,
                         .key = std::move(key),
                         .context = std::move(context),
                         .object = std::move(object),
                         .ttl = expires ? ttl : std::nullopt,
                         .id = options.id,
                         .w = w,
                         .siblings_max = state.options.siblings_max,
                         .synced = state.options.durability == Durability::synced,
                         .sloppy = state.options.sloppy,
                         .asked = asked,
                         .deadline = asked + timeout};
}

PutResult to_result(core::PutAnswer answer) {
  return {.context = std::move(answer.context), .outcome = std::move(answer.outcome)};
}

}  // namespace dynamo::host

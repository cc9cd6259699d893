#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <dynamo/store.h>

#include "host/store_state.h"
#include "node/event.h"

// From the arguments of a call and the policy of its handle to a request for the node.
// INVALID_ARGUMENT names the field, its value and its limit.
namespace dynamo::host {

absl::StatusOr<core::ClientGet> checked_get(const StoreState& state, std::string key,
                                            const ReadOptions& options);
// The answer to a get that this node can give on the caller's thread: r is 1, the options are in
// order, and it owns the key. Nullopt for all others.
std::optional<absl::StatusOr<core::GetAnswer>> answer_here(const StoreState& state,
                                                           std::string_view key,
                                                           const ReadOptions& options);
// `object`: nullopt erases.
absl::StatusOr<core::ClientPut> checked_put(const StoreState& state, std::string key,
                                            Context context, std::optional<std::string> object,
                                            const WriteOptions& options);
PutResult to_result(core::PutAnswer answer);

}  // namespace dynamo::host

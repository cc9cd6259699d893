#pragma once

#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <dynamo/store.h>

#include "host/store_state.h"
#include "node/event.h"

// From the arguments of a call and the policy of its handle to a request for the node.
// INVALID_ARGUMENT names the field, its value and its limit.
namespace dynamo::host {

absl::StatusOr<core::ClientGet> checked_get(const StoreState& state, std::string key,
                                            const ReadOptions& options);
// `object`: nullopt erases.
absl::StatusOr<core::ClientPut> checked_put(const StoreState& state, std::string key,
                                            Context context, std::optional<std::string> object,
                                            const WriteOptions& options);
PutResult to_result(core::PutAnswer answer);

}  // namespace dynamo::host

#pragma once

#include <string_view>

#include <absl/status/statusor.h>
#include <dynamo/store.h>

#include "node/event.h"

namespace dynamo::host {

// What get() returns: the node's answer, its siblings merged by the store's reconciler if there is
// one. Runs the application's code, so on the caller's thread or the handler's executor, outside
// every lock.
absl::StatusOr<GetResult> reconciled(std::string_view key, const Reconciler* reconciler,
                                     absl::StatusOr<core::GetAnswer> answer);

}  // namespace dynamo::host

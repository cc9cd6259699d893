#pragma once

#include <string_view>

#include <absl/status/status.h>
#include <dynamo/store.h>

// What is refused before it reaches the node: each check names the field, its value and its limit.
namespace dynamo::host {

absl::Status check_store(std::string_view name, const StoreOptions& options);
absl::Status check_key(std::string_view operation, std::string_view key);
absl::Status check_object(std::string_view key, std::string_view object,
                          const StoreOptions& options);
absl::Status check_quorum(std::string_view field, int value, int n);
absl::Status check_timeout(std::chrono::milliseconds timeout);
absl::Status check_ttl(const std::optional<std::chrono::seconds>& ttl);

}  // namespace dynamo::host

#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <dynamo/outcome.h>

namespace dynamo::core {

// The status with the outcome inside, for outcome_of().
absl::Status with_outcome(absl::Status status, const Outcome& outcome);

// A key as it stands in messages: quoted, unprintable bytes escaped, cut after 64 bytes.
std::string quoted(std::string_view key);

}  // namespace dynamo::core

#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <dynamo/outcome.h>

namespace dynamo::core {

// The status with the outcome inside, for outcome_of().
absl::Status with_outcome(absl::Status status, const Outcome& outcome);

// A key as it stands in messages: quoted, cut after 64 bytes, and what is no printable UTF-8
// escaped.
std::string quote(std::string_view key);

}  // namespace dynamo::core

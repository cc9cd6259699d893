#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

// How the conformance suites say what they found.
namespace dynamo::testing {

// Bytes for a message: escaped, cut if they are many, with their number.
std::string quote(std::string_view bytes);

// That what is checked is not as it should be.
absl::Status broken(std::string message);

// "the <part> breaks the rule "<rule>": <what was found>".
absl::Status breaks_rule(std::string_view part, std::string_view rule, const absl::Status& found);

}  // namespace dynamo::testing

#include "testing/broken_rule.h"

#include <fmt/format.h>

namespace dynamo::testing {

std::string quote(std::string_view bytes) {
  constexpr std::size_t shown_max = 40;
  std::string text = "\"";
  for (const char byte : bytes.substr(0, shown_max)) {
    if (byte >= ' ' && byte <= '~') {
      text += byte;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return text + fmt::format("{}\" ({} bytes)", bytes.size() > shown_max ? "..." : "", bytes.size());
}

absl::Status broken(std::string message) { return absl::InternalError(message); }

absl::Status breaks_rule(std::string_view part, std::string_view rule, const absl::Status& found) {
  return broken(
      fmt::format("the {} breaks the rule \"{}\": {}", part, rule, std::string(found.message())));
}

}  // namespace dynamo::testing

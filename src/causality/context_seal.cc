#include "causality/context_seal.h"

#include <algorithm>

#include "base/coding.h"
#include "causality/context_body.h"

namespace dynamo::core {

std::optional<Mac> seal_mac(std::string_view secret, const ContextOwner& owner,
                            std::string_view content) {
  std::string bytes = "dynamo context";  // the same secret may seal other things elsewhere
  Encoder out(bytes);
  out.fixed64(owner.cluster.high);
  out.fixed64(owner.cluster.low);
  out.bytes(owner.store);
  out.bytes(owner.key);
  out.bytes(content);
  return make_mac(secret, bytes);
}

absl::Status check_seal(const Context& context, const ContextSecrets* secrets,
                        const ContextOwner& owner) {
  if (secrets == nullptr || context.empty() || !context.body()->decoded) return absl::OkStatus();
  const ContextBody& body = *context.body();
  if (!body.mac) {
    return absl::InvalidArgumentError(
        "context: not authenticated, and this node has a context_secret; it was made by a node "
        "without one");
  }
  const std::string content = context_content(body);
  const auto is_of = [&](std::string_view secret) {
    const std::optional<Mac> mac = seal_mac(secret, owner, content);
    return mac && same_mac(*mac, *body.mac);
  };
  if (is_of(secrets->current) || std::ranges::any_of(secrets->accepted, is_of)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "context: forged, altered, or made under another context_secret");
}

}  // namespace dynamo::core

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <dynamo/context.h>
#include <dynamo/membership.h>

#include "base/mac.h"

// What keeps contexts honest that leave trusted processes: a MAC under a secret of the nodes. It is
// made in Context::encode() and checked by the first call that uses a decoded context, so contexts
// that stay in the process cost no MAC.
namespace dynamo::core {

struct ContextSecrets {
  std::string current{};                // of contexts that are made here
  std::vector<std::string> accepted{};  // older or coming ones, during a rotation
};

// For whom a context was made. Not hashes, as the binding has: who may choose keys could look for
// two with one hash.
struct ContextOwner {
  Identity cluster{};
  std::string store{};
  std::string key{};
};

// How a context will be sealed once it is encoded.
struct ContextSeal {
  std::shared_ptr<const ContextSecrets> secrets{};  // the node's, shared by all its contexts
  ContextOwner owner{};
};

// Of `content`, an encoded context up to its MAC. Nullopt without libcrypto.
std::optional<Mac> seal_mac(std::string_view secret, const ContextOwner& owner,
                            std::string_view content);

// OK if the context was made in this process, or carries the MAC of one of the secrets for this
// owner; else INVALID_ARGUMENT. No secrets: always OK.
absl::Status check_seal(const Context& context, const ContextSecrets* secrets,
                        const ContextOwner& owner);

}  // namespace dynamo::core

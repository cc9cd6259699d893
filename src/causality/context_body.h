#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <dynamo/context.h>
#include <dynamo/membership.h>

#include "base/hybrid_time.h"
#include "base/mac.h"
#include "causality/context_seal.h"
#include "causality/history.h"

namespace dynamo::core {

// What a context is good for. Hashes, so that a context does not disclose names.
struct ContextBinding {
  std::uint32_t cluster = 0;
  std::uint32_t store = 0;
  std::uint64_t key = 0;
  friend bool operator==(const ContextBinding&, const ContextBinding&) = default;
};
ContextBinding bind_context(const Identity& cluster, std::string_view store, std::string_view key);
// Its part that is the same for all keys of a store; the other way is slower.
std::uint32_t bind_store(const Identity& cluster, std::string_view store);
ContextBinding bind_context(const Identity& cluster, std::uint32_t store, std::string_view key);

// The inside of a Context.
struct ContextBody {
  ContextBinding binding{};
  History history{};
  HybridTime latest{};  // the greatest clock among the versions seen: a put with this context draws
                        // above it
  // Made by a node with a secret: how encode() seals it. Shared by copies.
  std::shared_ptr<const ContextSeal> seal{};
  bool decoded = false;      // it came from outside
  std::optional<Mac> mac{};  // and came with this

  // What was seen, of which key.
  friend bool operator==(const ContextBody& a, const ContextBody& b) {
    return a.binding == b.binding && a.history == b.history && a.latest == b.latest;
  }
};

// What encode() puts into text, and a MAC is made of.
std::string context_content(const ContextBody& body);

Context make_context(ContextBody body);

// OK if the context is empty or bound to this key, else INVALID_ARGUMENT saying what it belongs to.
absl::Status check_binding(const Context& context, const ContextBinding& expected,
                           std::string_view store, std::string_view key);

}  // namespace dynamo::core

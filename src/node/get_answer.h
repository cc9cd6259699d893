#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "causality/context_body.h"
#include "causality/version_set.h"
#include "node/event.h"

namespace dynamo::core {

// A context of the key that this cluster's nodes make: bound to it, and nothing seen yet.
ContextBody make_context_body(const Identity& cluster,
                              const std::shared_ptr<const ContextSecrets>& secrets,
                              std::string_view store, std::string_view key);
// The same, with what bind_store() says of the store.
ContextBody make_context_body(const Identity& cluster,
                              const std::shared_ptr<const ContextSecrets>& secrets,
                              std::string_view store, std::uint32_t store_binding,
                              std::string_view key);

// What the application is shown of the replicas' merged sets: the versions that are visible at that
// time, each write once, and a context that has seen all of the set.
GetAnswer make_answer(VersionSet set, ContextBody seen, Outcome outcome, std::int64_t wall_us);

}  // namespace dynamo::core

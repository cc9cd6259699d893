#pragma once

#include <optional>

#include <dynamo/outcome.h>

#include "base/hybrid_time.h"

namespace dynamo::core {

// A write id that carries the time it was drawn, with 48 bits of chance and a tag that tells such
// ids from those an application makes up.
//
// Under last-write-wins the clock of a put must be drawn once: a retry that drew a new one would
// beat whatever overwrote its first attempt. The id is what attempts have in common, across nodes
// and calls, so the clock lives in it.
WriteId make_write_id(HybridTime drawn_at, std::uint64_t random);

// When the id was drawn, or nullopt if make_write_id() did not make it.
std::optional<HybridTime> drawn_at(const WriteId& id);

}  // namespace dynamo::core

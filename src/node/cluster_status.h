#pragma once

#include <dynamo/status.h>

#include "node/node_state.h"

namespace dynamo::core {

// What Node::status() shows. Takes time in proportion to members and partitions.
ClusterStatus cluster_status(const NodeState& state, const Now& now);
// What Node::can_stop() says.
bool can_stop(const NodeState& state);

}  // namespace dynamo::core

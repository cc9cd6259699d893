#pragma once

#include <string>

#include "causality/version_set.h"

namespace dynamo::core {

// What is the same for a store on all nodes; in every message that names one, so that nodes
// replicate stores which they have never opened.
struct StoreFacts {
  std::string name{};
  int n = 0;
  Conflict conflict = Conflict::keep_siblings;
  friend bool operator==(const StoreFacts&, const StoreFacts&) = default;
};

}  // namespace dynamo::core

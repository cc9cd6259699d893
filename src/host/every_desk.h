#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "host/desk.h"

namespace dynamo::host {

// Holds the locks of all desks while it lives: no strand works meanwhile.
class EveryDesk {
 public:
  explicit EveryDesk(const std::vector<std::unique_ptr<Desk>>& desks) {
    for (const auto& desk : desks) locks_.emplace_back(desk->mutex);
  }

 private:
  absl::InlinedVector<std::unique_lock<std::mutex>, 1> locks_;
};

}  // namespace dynamo::host

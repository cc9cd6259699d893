#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "host/desk.h"

namespace dynamo::host {

// Holds the locks of all desks while it lives: no strand works meanwhile.
class EveryDesk {
 public:
  explicit EveryDesk(const std::vector<std::unique_ptr<Desk>>& desks)
      : first_(desks.front()->mutex) {
    for (std::size_t i = 1; i < desks.size(); ++i) others_.emplace_back(desks[i]->mutex);
  }

 private:
  const std::lock_guard<std::mutex> first_;
  std::vector<std::unique_lock<std::mutex>> others_;  // none in most nodes
};

}  // namespace dynamo::host

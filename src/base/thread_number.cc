#include "base/thread_number.h"

#include <atomic>

namespace dynamo::core {

std::size_t thread_number() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace dynamo::core

#include "base/process_generation.h"

#include <pthread.h>

#include <atomic>
#include <new>

namespace dynamo::core {
namespace {

std::atomic<std::uint64_t> generation{0};

}  // namespace

std::uint64_t process_generation() {
  // On the first call, which is made before the first object there is that could be copied.
  [[maybe_unused]] static const bool watched = [] {
    const auto in_child = [] { generation.fetch_add(1, std::memory_order_relaxed); };
    if (pthread_atfork(nullptr, nullptr, in_child) != 0) throw std::bad_alloc();
    return true;
  }();
  return generation.load(std::memory_order_relaxed);
}

}  // namespace dynamo::core

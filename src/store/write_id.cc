#include <dynamo/outcome.h>

#include <chrono>
#include <random>

#include "causality/write_id.h"

namespace dynamo {

WriteId WriteId::random() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const auto wall_us = std::chrono::duration_cast<std::chrono::microseconds>(wall).count();
  // One engine a thread: random_device is a system call, and ids are drawn by the thousand.
  thread_local std::mt19937_64 engine = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return core::make_write_id(core::HybridTime::at(wall_us), engine());
}

}  // namespace dynamo

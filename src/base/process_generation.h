#pragma once

#include <cstdint>

namespace dynamo::core {

// Rises in the child of a fork. An object that remembers it knows whether it is its parent's copy:
// without the threads, and with mutexes that nobody may ever unlock (trap H9). Costs a load, where
// getpid() is a system call.
//
// Thread safety: any thread.
std::uint64_t process_generation();

}  // namespace dynamo::core

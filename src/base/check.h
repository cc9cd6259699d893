#pragma once

namespace dynamo::core {

// Ends the process with the broken condition on stderr.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace dynamo::core

// For our own bugs only, always on: nothing that an application, a peer or a disk can do may reach
// it.
#define DYNAMO_CHECK(condition)                                     \
  do {                                                              \
    if (!(condition)) {                                             \
      ::dynamo::core::check_failed(#condition, __FILE__, __LINE__); \
    }                                                               \
  } while (false)

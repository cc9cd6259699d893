#pragma once

#include <mutex>

namespace dynamo::core {

// A mutex for what several threads share in some nodes, and one thread has for itself in others:
// those pay nothing for it.
//
// Thread safety: any thread.
class OptionalMutex {
 public:
  explicit OptionalMutex(bool is_shared) : is_shared_(is_shared) {}

  // Held while the result lives.
  std::unique_lock<std::mutex> lock() const {
    return is_shared_ ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
  }

 private:
  const bool is_shared_;
  mutable std::mutex mutex_;
};

}  // namespace dynamo::core

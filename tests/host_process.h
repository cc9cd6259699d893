#pragma once

#include <fcntl.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

// What a library may leave behind in its host process, which is this one.
namespace test {

// The thread sanitizer has a thread of its own, which begins with the first of anybody else's.
inline void begin_sanitizer() {
#if defined(__SANITIZE_THREAD__)
  static const bool begun = [] {
    std::thread([] {}).join();
    return true;
  }();
  static_cast<void>(begun);
#endif
}

// By name.
inline std::multiset<std::string> threads() {
  begin_sanitizer();
  std::multiset<std::string> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    names.insert(name);
  }
  return names;
}

// Whether these are left. The kernel lists a thread for a moment after it could be joined.
inline bool threads_end_at(const std::multiset<std::string>& left) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (threads().size() > left.size() && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  return threads() == left;
}

inline std::set<int> descriptors() {
  std::set<int> open;
  for (int descriptor = 0; descriptor < 1024; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) open.insert(descriptor);
  }
  return open;
}

}  // namespace test

#pragma once

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

// What a library may leave behind in its host process, which is this one.
namespace test {

// By name.
inline std::multiset<std::string> threads() {
  std::multiset<std::string> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    names.insert(name);
  }
  return names;
}

inline std::set<int> descriptors() {
  std::set<int> open;
  for (int descriptor = 0; descriptor < 1024; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) open.insert(descriptor);
  }
  return open;
}

}  // namespace test

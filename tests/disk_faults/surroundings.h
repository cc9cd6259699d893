#pragma once

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace test {

// In memory where that is possible: what counts here is what is asked of a disk, not what it does.
// A container may have very little of it.
inline std::filesystem::path memory_directory() {
  constexpr std::uintmax_t enough = std::uintmax_t{512} << 20;
  const std::filesystem::path shared = "/dev/shm";
  std::error_code unknown;
  const bool has_room = std::filesystem::space(shared, unknown).available >= enough && !unknown;
  return has_room && access(shared.c_str(), W_OK) == 0 ? shared
                                                       : std::filesystem::temp_directory_path();
}

inline std::size_t number_from_environment(const char* name, std::size_t otherwise) {
  const char* given = std::getenv(name);
  return given == nullptr ? otherwise : std::stoull(given);
}

// For a child that may well be killed: without what LMDB, Catch and the sanitizers say to that.
inline void end_quietly_when_killed() {
  const int nowhere = open("/dev/null", O_WRONLY);
  dup2(nowhere, STDOUT_FILENO);
  dup2(nowhere, STDERR_FILENO);
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) signal(number, SIG_DFL);
}

}  // namespace test

#include "speed/child.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace bench {

void give_up(std::string_view what) {
  fmt::print(stderr, "bench: {}\n", what);
  std::_Exit(1);
}

Child::Child(std::vector<std::string> command, std::string_view ready) : name_(command.front()) {
  std::array<int, 2> from{};
  if (::pipe2(from.data(), O_CLOEXEC) != 0) give_up("no pipe");
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) give_up("no process");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ready.empty()) {
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, STDOUT_FILENO);
      ::dup2(nowhere, STDERR_FILENO);
    } else {
      ::dup2(from[1], STDOUT_FILENO);
    }
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(from[1]);
  output_ = from[0];
  if (!ready.empty()) await_line(ready, output_);
}

void Child::await_line(std::string_view ready, int output) const {
  std::string line;
  for (char byte = 0; ::read(output, &byte, 1) == 1;) {
    if (byte != '\n') {
      line.push_back(byte);
      continue;
    }
    if (line.starts_with(ready)) return;
    fmt::print(stderr, "{}: {}\n", name_, line);
    line.clear();
  }
  give_up(fmt::format("{} has ended before it was ready", name_));
}

Child::~Child() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::close(output_);
}

void await_parent() {
  // Its death kills this process.
  for (;;) ::pause();
}

void pin(const std::vector<int>& processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int processor : processors) CPU_SET(static_cast<std::size_t>(processor), &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) give_up("cannot pin to a processor");
}

std::vector<int> processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  std::vector<int> found;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<std::size_t>(i), &set)) found.push_back(i);
  }
  return found;
}

}  // namespace bench

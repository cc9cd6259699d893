#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>

namespace test {

// Numbers from one process to another, in order; what waits on the other end replaces all sleeps.
class NumberPipe {
 public:
  NumberPipe() {
    if (pipe(ends_.data()) != 0) throw std::runtime_error("pipe failed");
  }
  ~NumberPipe() {
    close_reading();
    close_writing();
  }
  NumberPipe(const NumberPipe&) = delete;
  NumberPipe& operator=(const NumberPipe&) = delete;

  void send(std::uint64_t number) {
    if (write(ends_[1], &number, sizeof number) != sizeof number) _exit(99);
  }
  // Nothing once all writing ends are closed.
  std::optional<std::uint64_t> receive() {
    std::uint64_t number = 0;
    if (read(ends_[0], &number, sizeof number) != sizeof number) return std::nullopt;
    return number;
  }
  void close_reading() { close_end(0); }
  void close_writing() { close_end(1); }

 private:
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) close(ends_[end]);
    ends_[end] = -1;
  }

  std::array<int, 2> ends_{-1, -1};
};

// A child made by fork that ends with the number `run` returns; killed with the object.
class ChildProcess {
 public:
  explicit ChildProcess(const std::function<int()>& run) : pid_(fork()) {
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) _exit(run());
  }
  ~ChildProcess() {
    if (pid_ > 0) end_with(SIGKILL);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }

  // The exit code, or minus the signal.
  int wait() {
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) return -1000;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int end_with(int signal) {
    kill(pid_, signal);
    return wait();
  }

 private:
  pid_t pid_;
};

}  // namespace test

#include "workers.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <system_error>
#include <vector>

namespace seeds {

namespace {

// A child and the pipe on which it says what came of its jobs: the job, the length, the text.
struct Worker {
  pid_t pid = -1;
  int in = -1;   // jobs to the child
  int out = -1;  // results from it
  std::uint64_t job = 0;
};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

bool read_all(int from, void* to, std::size_t size) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = ::read(from, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int to, const void* from, std::size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t put = ::write(to, at, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

[[noreturn]] void serve(int in, int out, const std::function<std::string(std::uint64_t)>& job) {
  std::uint64_t number = 0;
  while (read_all(in, &number, sizeof number)) {
    std::string text;
    try {
      text = job(number);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "exception: %s\n", error.what());
      std::_Exit(3);
    }
    const std::uint64_t size = text.size();
    if (!write_all(out, &size, sizeof size) || !write_all(out, text.data(), size)) break;
  }
  std::_Exit(0);
}

Worker make_worker(const std::vector<Worker>& others,
                   const std::function<std::string(std::uint64_t)>& job) {
  int to_child[2];
  int from_child[2];
  if (::pipe(to_child) != 0 || ::pipe(from_child) != 0) fail("pipe");
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    for (const Worker& other : others) {
      ::close(other.in);
      ::close(other.out);
    }
    ::close(to_child[1]);
    ::close(from_child[0]);
    serve(to_child[0], from_child[1], job);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  return {.pid = pid, .in = to_child[1], .out = from_child[0]};
}

void end(Worker& worker) {
  ::close(worker.in);
  ::close(worker.out);
  ::waitpid(worker.pid, nullptr, 0);
  worker.pid = -1;
}

Outcome result_of(Worker& worker) {
  Outcome outcome{.job = worker.job};
  std::uint64_t size = 0;
  outcome.died = !read_all(worker.out, &size, sizeof size);
  if (!outcome.died) {
    outcome.text.resize(size);
    outcome.died = !read_all(worker.out, outcome.text.data(), size);
  }
  return outcome;
}

}  // namespace

void run_in_processes(std::uint64_t jobs, int processes,
                      const std::function<std::string(std::uint64_t job)>& job,
                      const std::function<bool(const Outcome&)>& done) {
  std::vector<Worker> workers;
  std::uint64_t next = 0;
  bool more = true;
  const auto give = [&](Worker& worker) {
    if (!more || next == jobs) return false;
    worker.job = next++;
    return write_all(worker.in, &worker.job, sizeof worker.job);
  };
  for (int i = 0; i < processes && next < jobs; ++i) {
    workers.push_back(make_worker(workers, job));
    give(workers.back());
  }
  while (!workers.empty()) {
    std::vector<pollfd> polled;
    for (const Worker& worker : workers) polled.push_back({worker.out, POLLIN, 0});
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) fail("poll");
    for (std::size_t i = workers.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      const Outcome outcome = result_of(workers[i]);
      more = done(outcome) && more;
      bool busy = false;
      if (outcome.died) {
        end(workers[i]);
        if (more && next < jobs) {
          workers[i] = {};
          workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(i));
          workers.push_back(make_worker(workers, job));
          busy = give(workers.back());
          if (!busy) {
            end(workers.back());
            workers.pop_back();
          }
          continue;
        }
      } else {
        busy = give(workers[i]);
      }
      if (busy) continue;
      if (workers[i].pid >= 0) end(workers[i]);
      workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace seeds

#include "node_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace demo {

namespace {

void close_if_open(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

}  // namespace

NodeProcess::NodeProcess(std::string name, std::filesystem::path base,
                         const std::vector<dynamo::Member>& members)
    : name_(std::move(name)), base_(std::move(base)) {
  for (const dynamo::Member& member : members) {
    members_ += (members_.empty() ? "" : ",") + member.name + "=" + member.address;
  }
}

NodeProcess::~NodeProcess() {
  if (running()) kill_hard();
  close_output();
}

void NodeProcess::start() {
  std::array<int, 2> to_child{};
  std::array<int, 2> from_child{};
  // Close-on-exec: no node may hold another's pipe open.
  if (::pipe2(to_child.data(), O_CLOEXEC) != 0 || ::pipe2(from_child.data(), O_CLOEXEC) != 0) {
    std::perror("pipe");
    std::exit(1);
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(to_child[0], STDIN_FILENO);
    ::dup2(from_child[1], STDOUT_FILENO);
    ::execl("/proc/self/exe", "dynamo_demo", "--node", name_.c_str(), base_.c_str(),
            members_.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  input_ = to_child[1];
  output_ = from_child[0];
  ::fcntl(input_, F_SETFL, O_NONBLOCK);
  ::fcntl(output_, F_SETFL, O_NONBLOCK);
  unwritten_.clear();
  unparsed_.clear();
}

void NodeProcess::send(const std::string& line) {
  unwritten_ += line;
  pump();
}

void NodeProcess::pump() {
  while (!unwritten_.empty() && input_ >= 0) {
    const ssize_t written = ::write(input_, unwritten_.data(), unwritten_.size());
    if (written <= 0) return;
    unwritten_.erase(0, static_cast<std::size_t>(written));
  }
}

std::vector<std::string> NodeProcess::read_lines(bool& ended) {
  std::array<char, 65536> buffer;
  ended = false;
  for (;;) {
    const ssize_t got = ::read(output_, buffer.data(), buffer.size());
    if (got > 0) {
      unparsed_.append(buffer.data(), static_cast<std::size_t>(got));
      continue;
    }
    ended = got == 0;
    break;
  }
  std::vector<std::string> lines;
  std::size_t start = 0;
  for (std::size_t end; (end = unparsed_.find('\n', start)) != std::string::npos; start = end + 1) {
    lines.push_back(unparsed_.substr(start, end - start));
  }
  unparsed_.erase(0, start);
  return lines;
}

void NodeProcess::reap() {
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  close_if_open(input_);
}

void NodeProcess::kill_hard() {
  ::kill(pid_, SIGKILL);
  reap();
}

void NodeProcess::close_output() { close_if_open(output_); }

void NodeProcess::quit() {
  if (!running()) return;
  ::fcntl(input_, F_SETFL, 0);
  send("quit\n");
  reap();
  close_output();
}

}  // namespace demo

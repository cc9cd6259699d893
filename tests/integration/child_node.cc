#include "child_node.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <sstream>

#include "catch.hpp"

namespace test {

namespace {

constexpr int patience_ms = 30'000;

bool enter(const std::filesystem::path& network) {
  if (network.empty()) return true;
  const int file = ::open(network.c_str(), O_RDONLY | O_CLOEXEC);
  return file >= 0 && ::setns(file, CLONE_NEWNET) == 0;
}

}  // namespace

ChildNode::~ChildNode() {
  if (pid_ > 0) kill();
  if (output_ >= 0) ::close(output_);
}

std::string ChildNode::start() {
  std::array<int, 2> to{};
  std::array<int, 2> from{};
  REQUIRE(::pipe2(to.data(), O_CLOEXEC) == 0);
  REQUIRE(::pipe2(from.data(), O_CLOEXEC) == 0);
  std::vector<std::string> arguments = {DYNAMO_NODE_PROGRAM,
                                        options_.name,
                                        options_.directory.string(),
                                        options_.label,
                                        std::to_string(options_.partitions),
                                        options_.durability,
                                        std::to_string(options_.map_bytes_max)};
  for (const auto& member : options_.members) {
    arguments.push_back(member.name + "=" + member.address);
  }
  if (options_.members.empty()) {
    arguments.push_back("+" + options_.listen);
    arguments.insert(arguments.end(), options_.seeds.begin(), options_.seeds.end());
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a paused one would stay for ever
    if (!enter(options_.network)) ::_exit(126);
    ::dup2(to[0], STDIN_FILENO);
    ::dup2(from[1], STDOUT_FILENO);
    ::signal(SIGXFSZ, SIG_IGN);  // see limit_files()
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  if (output_ >= 0) ::close(output_);
  input_ = to[1];
  output_ = from[0];
  unparsed_.clear();
  first_line_.clear();
  while (first_line_.empty()) REQUIRE(read_more());
  const std::string first = first_line_;
  if (first.starts_with("failed")) reap();
  return first;
}

int ChildNode::send(const std::string& request) {
  const std::string line = std::to_string(++last_number_) + " " + request + "\n";
  REQUIRE(::write(input_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  return last_number_;
}

std::string ChildNode::await(int number) {
  while (!answers_.contains(number)) {
    if (!read_more()) return {};
  }
  return answers_.at(number);
}

void ChildNode::await_answers(std::size_t count) {
  while (answers_.size() < count) REQUIRE(read_more());
}

bool ChildNode::logged(const std::string& text) const {
  for (const std::string& line : log_) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

bool ChildNode::read_more() {
  pollfd wait{output_, POLLIN, 0};
  INFO("node " << options_.name);
  REQUIRE(::poll(&wait, 1, patience_ms) == 1);
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(output_, buffer.data(), buffer.size());
  if (got <= 0) return false;
  unparsed_.append(buffer.data(), static_cast<std::size_t>(got));
  std::size_t start = 0;
  for (std::size_t end; (end = unparsed_.find('\n', start)) != std::string::npos; start = end + 1) {
    take(unparsed_.substr(start, end - start));
  }
  unparsed_.erase(0, start);
  return true;
}

void ChildNode::take(const std::string& line) {
  if (line.starts_with("log ")) {
    log_.push_back(line.substr(4));
  } else if (line.starts_with("ready ") || line.starts_with("failed ")) {
    first_line_ = line;
  } else {
    answers_[std::atoi(line.c_str())] = line.substr(line.find(' ') + 1);
  }
}

void ChildNode::reap() {
  ::close(input_);
  input_ = -1;
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void ChildNode::kill() {
  ::kill(pid_, SIGKILL);
  reap();
  while (read_more()) {
  }
}

void ChildNode::pause() { REQUIRE(::kill(pid_, SIGSTOP) == 0); }
void ChildNode::resume() { REQUIRE(::kill(pid_, SIGCONT) == 0); }

void ChildNode::quit() {
  const std::string line = "quit\n";
  REQUIRE(::write(input_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  while (read_more()) {
  }
  reap();
}

void ChildNode::limit_files(std::size_t bytes) const {
  const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
  REQUIRE(::prlimit(pid_, RLIMIT_FSIZE, &limit, nullptr) == 0);
}

std::set<std::string> elements(const std::string& list) {
  std::set<std::string> found;
  std::istringstream in(list);
  for (std::string element; std::getline(in, element, ',');) found.insert(element);
  return found;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "dynamo-test-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace test

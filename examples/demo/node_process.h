#pragma once

#include <sys/types.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <dynamo/membership.h>

namespace demo {

// A child process that runs one node (run_node), as the parent sees it.
//
// Thread safety: one thread at a time.
class NodeProcess {
 public:
  NodeProcess(std::string name, std::filesystem::path base,
              const std::vector<dynamo::Member>& members);
  ~NodeProcess();  // kills what still runs
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  const std::string& name() const { return name_; }
  // Starts the process; its first line says whether the node has started.
  void start();
  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  int output() const { return output_; }

  // Queues a line and writes what the pipe takes.
  void send(const std::string& line);
  void pump();
  bool wants_to_write() const { return !unwritten_.empty(); }
  // Reads what is there. Returns whole lines; `ended` is set at the end of the pipe.
  std::vector<std::string> read_lines(bool& ended);

  void kill_hard();  // SIGKILL, and waits; what it had written can still be read
  void close_output();
  void quit();  // asks it to end, and waits

  std::set<int> in_flight{};  // numbers of the requests without an answer

 private:
  void reap();

  const std::string name_;
  const std::filesystem::path base_;
  std::string members_;
  pid_t pid_ = -1;
  int input_ = -1;   // its standard input
  int output_ = -1;  // its standard output
  std::string unwritten_;
  std::string unparsed_;
};

}  // namespace demo

#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <dynamo/membership.h>

namespace test {

// What a process of node_program.cc is started with.
struct ChildOptions {
  std::string name{};
  std::filesystem::path directory{};
  std::vector<dynamo::Member> members{};  // a fixed list; empty: it gossips
  std::string listen{};
  std::vector<std::string> seeds{};
  std::string label = "test";
  int partitions = 64;
  std::string durability = "synced";
  std::filesystem::path network{};  // the namespace to run in, as a file; empty: this process's
  std::size_t map_bytes_max = std::size_t{1} << 40;
};

// A node in a process of its own. Every wait has a deadline of half a minute and fails the test
// after it.
//
// Thread safety: one thread at a time.
class ChildNode {
 public:
  explicit ChildNode(ChildOptions options) : options_(std::move(options)) {}
  ~ChildNode();
  ChildNode(const ChildNode&) = delete;
  ChildNode& operator=(const ChildNode&) = delete;

  // The first line: "ready ADDRESS" or "failed CODE TEXT".
  std::string start();
  // Sends a request and returns its number.
  int send(const std::string& request);
  // Its answer, without the number: "ok TEXT" or "failed CODE VERDICT TEXT"; empty if the process
  // died without one.
  std::string await(int number);
  std::string call(const std::string& request) { return await(send(request)); }
  // Reads until `count` answers are there.
  void await_answers(std::size_t count);
  const std::map<int, std::string>& answers() const { return answers_; }
  // All "log" lines so far.
  const std::vector<std::string>& log() const { return log_; }
  bool logged(const std::string& text) const;

  void kill();   // SIGKILL; answers that it had given can still be read
  void pause();  // SIGSTOP
  void resume();
  void quit();  // lets it end by itself
  pid_t pid() const { return pid_; }

  // Files of the process may not grow beyond that from now on, as on a full disk.
  void limit_files(std::size_t bytes) const;

  ChildOptions& options() { return options_; }

 private:
  bool read_more();
  void take(const std::string& line);
  void reap();

  ChildOptions options_;
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  int last_number_ = 0;
  std::string unparsed_;
  std::string first_line_;
  std::map<int, std::string> answers_;
  std::vector<std::string> log_;
};

// Of a set as the program prints it, with commas.
std::set<std::string> elements(const std::string& list);

// A directory that goes away with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace test

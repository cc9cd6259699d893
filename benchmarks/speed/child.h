#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace bench {

// Prints what happened and ends the program: there is nothing to compare any more.
[[noreturn]] void give_up(std::string_view what);

// A process of this very program in another role, or of another program. It dies with this one.
class Child {
 public:
  // Returns once the process has printed a line that begins with `ready`; nothing is waited for if
  // that is empty, and then the output is thrown away.
  Child(std::vector<std::string> command, std::string_view ready);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }

 private:
  void await_line(std::string_view ready, int output) const;

  const std::string name_;
  pid_t pid_ = -1;
  int output_ = -1;
};

// Blocks for ever: this process dies with its parent.
void await_parent();

// This process, its children to come and its threads to come keep to these processors.
void pin(const std::vector<int>& processors);
// Those that this process may use.
std::vector<int> processors();

}  // namespace bench

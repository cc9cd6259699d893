#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace test {

// Computers on a switch: network namespaces with a bridge between them, which the process makes for
// itself and which go with it. The process moves into namespaces of its own, so it is to have one
// thread and do nothing else.
//
//   b0 ---- eth0 of 10.77.0.1     b0 is in the namespace of the process; cables are cut by iptables
//    `----- eth0 of 10.77.0.2     in the namespace of the one who is not to hear
//
// Thread safety: one thread.
class Network {
 public:
  explicit Network(std::size_t computers);

  // Why there is none; empty: there is. A permission, or a program that is not installed.
  const std::string& why_not() const { return why_not_; }

  std::string address(std::size_t computer) const;  // without a port
  std::filesystem::path name_space(std::size_t computer) const;

  // What `from` sends never gets to `to`.
  void cut(std::size_t from, std::size_t to);
  void isolate(std::size_t computer);
  // Both ways, between those that are in `part` and all others.
  void split(const std::vector<std::size_t>& part);
  void heal();

 private:
  bool run(const std::string& commands);
  void must(const std::string& commands);

  const std::size_t computers_;
  std::string why_not_;
};

}  // namespace test

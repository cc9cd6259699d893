#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <dynamo/dynamo.h>

#include "loopback_ports.h"

namespace example {

// Ends the example with the status, unless it is OK.
inline void require(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}
template <class T>
T require(absl::StatusOr<T> result) {
  require(result.status());
  return *std::move(result);
}

// A new directory that goes away with this object.
class Directory {
 public:
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dynamo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::exit(1);
    path_ = pattern;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// `count` members called a, b, c ... on free loopback ports.
inline std::vector<dynamo::Member> local_members(int count) {
  std::vector<dynamo::Member> members;
  for (const int port : loopback_ports(count)) {
    dynamo::Member member;
    member.name = std::string(1, static_cast<char>('a' + members.size()));
    member.address = "127.0.0.1:" + std::to_string(port);
    members.push_back(member);
  }
  return members;
}

// Three nodes in this process, with their data in a directory that goes away with them. An
// application has one node a process, and its members on other machines.
class LocalCluster {
 public:
  LocalCluster() {
    const std::vector<dynamo::Member> members = local_members(3);
    for (const dynamo::Member& self : members) {
      dynamo::NodeOptions options{.name = self.name, .listen = self.address};
      options.data_dir = data_.path() / self.name;
      for (const dynamo::Member& seed : members) options.seeds.push_back(seed.address);
      nodes_.push_back(require(dynamo::Node::start(options)));
    }
  }

  dynamo::Node& node(std::size_t i) { return nodes_[i]; }

 private:
  Directory data_;
  std::vector<dynamo::Node> nodes_;  // gone before their data
};

}  // namespace example

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../../examples/local_cluster.h"
#include "catch.hpp"
#include "child_node.h"

namespace test {

// Three node processes with a directory each.
class Cluster {
 public:
  explicit Cluster(std::string durability = "synced") {
    const auto members = example::local_members(3);
    for (const auto& member : members) {
      nodes_.push_back(
          std::make_unique<ChildNode>(ChildOptions{.name = member.name,
                                                   .directory = data_.path() / member.name,
                                                   .members = members,
                                                   .durability = durability}));
    }
  }
  void start_all() {
    for (auto& node : nodes_) require_ready(node->start());
  }
  static void require_ready(const std::string& line) {
    INFO(line);
    REQUIRE(line.starts_with("ready "));
  }
  ChildNode& operator[](std::size_t i) { return *nodes_[i]; }
  const std::filesystem::path& path() const { return data_.path(); }

 private:
  const TemporaryDirectory data_;
  std::vector<std::unique_ptr<ChildNode>> nodes_;
};

}  // namespace test

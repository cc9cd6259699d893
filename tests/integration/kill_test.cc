// Three real processes, one of them killed with SIGKILL at some stage of a workload and started
// again: whatever was acknowledged is there afterwards, at every node. Each element is added once,
// by get, union and put, so "lost" can be told exactly.

#include <set>
#include <sstream>
#include <string>

#include "cluster.h"

namespace {

using test::ChildNode;
using test::Cluster;

std::string key(int i) { return "set" + std::to_string(i % 7); }

// Elements that were acknowledged, by key.
class Acknowledged {
 public:
  // Sends `count` adds to the node.
  void send(ChildNode& node, int count) {
    for (int i = 0; i < count; ++i) {
      const int element = ++last_;
      const int number = node.send("add " + key(element) + " e" + std::to_string(element));
      sent_.push_back({&node, number, element});
    }
  }
  // Takes the answers of all that was sent; a killed node has given some of them.
  void collect() {
    for (const Sent& sent : sent_) {
      if (sent.node->await(sent.number).starts_with("ok")) acknowledged_.insert(sent.element);
    }
    sent_.clear();
  }
  std::size_t size() const { return acknowledged_.size(); }

  void require_at(ChildNode& node) const {
    for (int k = 0; k < 7; ++k) {
      // From all replicas: a buffered write that its coordinator forgot in a crash may have reached
      // only one of the others, and r + w > n promises nothing about it.
      const std::string answer = node.call("get_all " + key(k));
      INFO("node " << node.options().name << ", " << key(k) << ": " << answer);
      REQUIRE(answer.starts_with("ok "));
      std::set<std::string> found;
      std::istringstream in(answer.substr(3));
      for (std::string element; std::getline(in, element, ',');) found.insert(element);
      for (const int element : acknowledged_) {
        if (element % 7 != k) continue;
        INFO("acknowledged e" << element);
        REQUIRE(found.contains("e" + std::to_string(element)));
      }
    }
  }

 private:
  struct Sent {
    ChildNode* node;
    int number;
    int element;
  };
  std::vector<Sent> sent_;
  std::set<int> acknowledged_;
  int last_ = 0;
};

void require_everywhere(Cluster& cluster, const Acknowledged& acknowledged) {
  for (std::size_t i = 0; i < 3; ++i) acknowledged.require_at(cluster[i]);
}

}  // namespace

TEST_CASE("a node killed while it coordinates loses nothing that was acknowledged") {
  Cluster cluster;
  cluster.start_all();
  Acknowledged acknowledged;
  acknowledged.send(cluster[1], 60);
  cluster[1].await_answers(10);
  cluster[1].kill();
  acknowledged.collect();
  REQUIRE(acknowledged.size() >= 10);

  acknowledged.send(cluster[0], 20);
  acknowledged.send(cluster[2], 20);
  acknowledged.collect();
  REQUIRE(acknowledged.size() >= 50);  // two of three nodes are a quorum
  Cluster::require_ready(cluster[1].start());
  require_everywhere(cluster, acknowledged);
}

TEST_CASE("a node killed while others coordinate loses nothing that was acknowledged") {
  Cluster cluster;
  cluster.start_all();
  Acknowledged acknowledged;
  acknowledged.send(cluster[0], 60);
  acknowledged.send(cluster[2], 60);
  cluster[0].await_answers(10);
  cluster[1].kill();
  acknowledged.collect();
  REQUIRE(acknowledged.size() == 120);

  Cluster::require_ready(cluster[1].start());
  acknowledged.send(cluster[1], 20);
  acknowledged.collect();
  REQUIRE(acknowledged.size() == 140);
  require_everywhere(cluster, acknowledged);
}

TEST_CASE("a node killed twice in a row, idle the second time, comes back") {
  Cluster cluster;
  cluster.start_all();
  Acknowledged acknowledged;
  acknowledged.send(cluster[1], 20);
  acknowledged.collect();
  for (int round = 0; round < 2; ++round) {
    cluster[1].kill();
    Cluster::require_ready(cluster[1].start());
  }
  acknowledged.send(cluster[1], 20);
  acknowledged.collect();
  REQUIRE(acknowledged.size() == 40);
  require_everywhere(cluster, acknowledged);
}

TEST_CASE("all nodes killed at once keep every synced write") {
  Cluster cluster;
  cluster.start_all();
  Acknowledged acknowledged;
  for (std::size_t i = 0; i < 3; ++i) acknowledged.send(cluster[i], 40);
  cluster[0].await_answers(15);
  for (std::size_t i = 0; i < 3; ++i) cluster[i].kill();
  acknowledged.collect();
  REQUIRE(acknowledged.size() >= 15);
  cluster.start_all();
  require_everywhere(cluster, acknowledged);
}

TEST_CASE("a killed node loses nothing that others hold in their object buffers") {
  Cluster cluster("buffered");
  cluster.start_all();
  Acknowledged acknowledged;
  for (std::size_t i = 0; i < 3; ++i) acknowledged.send(cluster[i], 40);
  cluster[1].await_answers(15);
  cluster[1].kill();
  acknowledged.collect();
  Cluster::require_ready(cluster[1].start());
  require_everywhere(cluster, acknowledged);
}

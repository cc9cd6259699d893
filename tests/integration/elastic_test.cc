// Real processes that find each other by gossip: a cluster grows from one to three to five and
// shrinks to three under continuous load, and is restarted node by node. Whatever was acknowledged
// is there, and with `sloppy = false` no read misses what was acknowledged before it.
//
// DYNAMO_ELASTIC_MB: how much data is there beforehand.

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "../../examples/local_cluster.h"
#include "catch.hpp"
#include "child_node.h"

namespace {

using std::chrono::steady_clock;
using test::ChildNode;
using test::elements;

class Cluster {
 public:
  Cluster() : members_(example::local_members(5)) {}

  // With the seeds of all that were started before it.
  void start(std::size_t i, bool founds_with_others = false) {
    if (nodes_[i] == nullptr) {
      test::ChildOptions options{.name = members_[i].name,
                                 .directory = data_.path() / members_[i].name};
      options.partitions = 32;
      options.durability = "strict";
      options.listen = members_[i].address;
      for (std::size_t j = 0; j < (founds_with_others ? 3 : i); ++j) {
        options.seeds.push_back(members_[j].address);
      }
      nodes_[i] = std::make_unique<ChildNode>(std::move(options));
    }
    const std::string line = nodes_[i]->start();
    INFO(line);
    REQUIRE(line.starts_with("ready "));
  }
  ChildNode& operator[](std::size_t i) { return *nodes_[i]; }

  struct Status {
    int view = 0;
    int members = 0;
    int moves = 0;
    std::string text{};
  };
  // Whether that request has been answered.
  bool answered(std::size_t i, int number) {
    nodes_[i]->call("hints");  // reads what has come before
    return nodes_[i]->answers().contains(number);
  }
  Status status(std::size_t i) {
    Status status{.text = nodes_[i]->call("status")};
    std::istringstream in(status.text.substr(status.text.find(' ')));
    in >> status.view >> status.members >> status.moves;
    return status;
  }

 private:
  const test::TemporaryDirectory data_;
  const std::vector<dynamo::Member> members_;
  std::map<std::size_t, std::unique_ptr<ChildNode>> nodes_;
};

// Unique elements are added to sets by all nodes, and every get is compared with what was
// acknowledged before it was sent.
class Load {
 public:
  static constexpr int keys = 24;

  explicit Load(Cluster& cluster) : cluster_(cluster) {}

  std::set<std::size_t> through{};
  int retried = 0;

  // One add and one get through each node.
  void step() {
    struct Sent {
      std::size_t node;
      int add;
      int get;
      int key;
      std::string element;
      std::set<std::string> before;
    };
    std::vector<Sent> all;
    for (const std::size_t node : through) {
      const std::string element = std::to_string(++last_);
      const int key = last_ % keys;
      const int read = (last_ * 7) % keys;
      const int add = cluster_[node].send("add " + name(key) + " " + element);
      all.push_back({node, add, cluster_[node].send("get " + name(read)), read, element,
                     acknowledged_[read]});
      adds_[element] = key;
    }
    for (const Sent& sent : all) {
      const std::string added = cluster_[sent.node].await(sent.add);
      if (added.starts_with("ok")) {
        acknowledged_[adds_[sent.element]].insert(sent.element);
      } else {
        failed_.push_back(added);
      }
      const std::string got = cluster_[sent.node].await(sent.get);
      if (!got.starts_with("ok ")) {
        failed_.push_back(got);
        continue;
      }
      INFO("get " << name(sent.key) << " at node " << sent.node << ": " << got);
      CHECK(missing(sent.before, elements(got.substr(3))).empty());
    }
  }
  void until(const std::function<bool()>& done) {
    const auto limit = steady_clock::now() + std::chrono::minutes(3);
    do {
      step();
      if (steady_clock::now() > limit) {
        for (const std::size_t node : through) UNSCOPED_INFO(cluster_.status(node).text);
        FAIL("never done");
      }
    } while (!done());
  }
  void steps(int count) {
    for (int i = 0; i < count; ++i) step();
  }

  // Everything acknowledged is at every owner.
  void check(std::size_t node) {
    std::size_t count = 0;
    for (int key = 0; key < keys; ++key) {
      const std::string got = cluster_[node].call("get_all " + name(key));
      INFO(got);
      REQUIRE(got.starts_with("ok "));
      CHECK(missing(acknowledged_[key], elements(got.substr(3))).empty());
      count += acknowledged_[key].size();
    }
    CHECK(count > 100);
    std::cout << count << " adds acknowledged, " << failed_.size() << " failed\n";
  }
  const std::vector<std::string>& failed() const { return failed_; }

 private:
  static std::string name(int key) { return "k" + std::to_string(key); }
  static std::set<std::string> missing(const std::set<std::string>& of,
                                       const std::set<std::string>& in) {
    std::set<std::string> missing;
    std::ranges::set_difference(of, in, std::inserter(missing, missing.end()));
    return missing;
  }

  Cluster& cluster_;
  int last_ = 0;
  std::map<std::string, int> adds_;
  std::map<int, std::set<std::string>> acknowledged_;
  std::vector<std::string> failed_;
};

// A data set that takes a while to move.
class Ballast {
 public:
  static constexpr std::size_t object_bytes = 64 * 1024;

  explicit Ballast(Cluster& cluster) : cluster_(cluster) {
    const char* given = std::getenv("DYNAMO_ELASTIC_MB");
    const std::size_t megabytes = given == nullptr ? 8 : std::strtoul(given, nullptr, 10);
    count_ = megabytes * (1 << 20) / object_bytes;
  }
  void load(std::size_t node) {
    all(
        node,
        [](std::size_t i) {
          return "fill b" + std::to_string(i) + " " + std::to_string(object_bytes);
        },
        "ok ");
  }
  void check(std::size_t node) {
    all(
        node, [](std::size_t i) { return "size b" + std::to_string(i); },
        "ok " + std::to_string(object_bytes));
  }

 private:
  void all(std::size_t node, const std::function<std::string(std::size_t)>& request,
           const std::string& answer) {
    constexpr std::size_t at_once = 16;
    for (std::size_t i = 0; i < count_; i += at_once) {
      std::vector<int> numbers;
      for (std::size_t j = i; j < std::min(count_, i + at_once); ++j) {
        numbers.push_back(cluster_[node].send(request(j)));
      }
      for (const int number : numbers) REQUIRE(cluster_[node].await(number) == answer);
    }
  }

  Cluster& cluster_;
  std::size_t count_ = 0;
};

}  // namespace

TEST_CASE("a cluster of processes grows from one to three to five and shrinks to three") {
  Cluster cluster;
  Load load(cluster);
  Ballast ballast(cluster);
  const auto settled = [&](std::size_t node, int members) {
    return [&cluster, node, members] {
      const Cluster::Status status = cluster.status(node);
      return status.members == members && status.moves == 0;
    };
  };
  cluster.start(0);
  cluster.start(1);
  cluster.start(2);
  load.through = {};
  load.until([&] { return cluster.status(0).members == 3; });
  load.through = {0, 1};
  load.until(settled(0, 3));
  ballast.load(0);

  cluster.start(3);
  cluster.start(4);
  load.until([&] { return cluster.status(0).members == 5; });
  load.steps(2);
  // In the middle of it both sides of a transfer die, one after the other.
  cluster[3].kill();
  load.steps(5);
  cluster.start(3);
  load.steps(5);
  load.through = {0};
  cluster[1].kill();
  load.steps(5);
  cluster.start(1);
  load.through = {0, 1, 3, 4};
  load.until(settled(0, 5));
  ballast.check(4);

  load.through = {2, 3, 4};
  const int first = cluster[0].send("leave 120000");
  const int second = cluster[1].send("leave 120000");
  load.until(
      [&] { return settled(2, 3)() && cluster.answered(0, first) && cluster.answered(1, second); });
  CHECK(cluster[0].await(first) == "ok ");
  CHECK(cluster[1].await(second) == "ok ");
  cluster[0].quit();
  cluster[1].quit();
  load.steps(5);
  for (const std::size_t node : {2U, 3U, 4U}) load.check(node);
  ballast.check(2);
}

TEST_CASE("a cluster is restarted node by node under load, and no request fails") {
  Cluster cluster;
  Load load(cluster);
  for (const std::size_t node : {0U, 1U, 2U}) cluster.start(node, true);
  load.until([&] { return cluster.status(2).members == 3; });
  load.through = {0, 1, 2};
  load.steps(20);
  REQUIRE(load.failed().empty());
  for (const std::size_t node : {0U, 1U, 2U}) {
    load.until([&] { return cluster[node].call("can_stop") == "ok yes"; });
    load.through.erase(node);
    const int drained = cluster[node].send("drain 20000");
    load.until([&] { return cluster.answered(node, drained); });
    CHECK(cluster[node].await(drained) == "ok ");
    cluster[node].quit();
    load.steps(10);
    cluster.start(node);
    load.steps(5);
    load.through.insert(node);
    load.steps(10);
  }
  for (const std::string& failure : load.failed()) UNSCOPED_INFO(failure);
  CHECK(load.failed().empty());
  REQUIRE(cluster[0].call("converge 20000") == "ok ");
  load.check(1);
}

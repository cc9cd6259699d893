// Five real processes on a network of their own that is cut in every way, while they are killed and
// paused; all the time a workload adds unique numbers to sets through all of them. When all is well
// again and the owners are equal, every number whose add was acknowledged is there at every owner,
// in its own replica. Numbers whose add is unknown may be there or not; those that were refused are
// not.
//
// DYNAMO_NETWORK_ROUNDS: how many rounds of faults; DYNAMO_NETWORK_SECONDS: at least for so long.
// DYNAMO_PAUSE_SECONDS: how long a process is paused. DYNAMO_SEED. DYNAMO_SOAK_PLOT: the file for a
// plot of what they took.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "child_node.h"
#include "network.h"
#include "soak_report.h"
#include "unit/storage/lmdb_pages.h"

namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using test::ChildNode;
using test::elements;

constexpr std::size_t nodes_count = 5;

int number_from_environment(const char* name, int otherwise) {
  const char* given = std::getenv(name);
  return given == nullptr ? otherwise : std::atoi(given);
}

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

// The processes, on the network.
class Cluster {
 public:
  explicit Cluster(const test::Network& network, const std::string& durability = "synced") {
    std::vector<dynamo::Member> members;
    for (std::size_t i = 0; i < nodes_count; ++i) {
      dynamo::Member member;
      member.name = std::string(1, static_cast<char>('a' + i));
      member.address = network.address(i) + ":7000";
      members.push_back(member);
    }
    for (std::size_t i = 0; i < nodes_count; ++i) {
      nodes_.push_back(std::make_unique<ChildNode>(
          test::ChildOptions{.name = members[i].name,
                             .directory = data_.path() / members[i].name,
                             .members = members,
                             .durability = durability,
                             .network = network.name_space(i)}));
      start(i);
    }
  }
  void start(std::size_t i) {
    const std::string line = nodes_[i]->start();
    INFO(line);
    REQUIRE(line.starts_with("ready "));
  }
  ChildNode& operator[](std::size_t i) { return *nodes_[i]; }

  // What they take now, but for the time and the hints.
  test::SoakSample resources() const {
    test::SoakSample sum;
    for (const auto& node : nodes_) {
      const std::string process = "/proc/" + std::to_string(node->pid());
      std::ifstream in(process + "/status");
      for (std::string line; std::getline(in, line);) {
        if (line.starts_with("RssAnon:")) sum.kibibytes += std::atol(line.c_str() + 8);
      }
      const std::filesystem::directory_iterator open(process + "/fd");
      sum.descriptors =
          std::max(sum.descriptors, static_cast<long>(std::distance(begin(open), end(open))));
    }
    for (const auto& directory : std::filesystem::directory_iterator(data_.path())) {
      const auto file = directory.path() / "data.mdb";
      sum.database_bytes += static_cast<double>(std::filesystem::file_size(file));
      sum.page_bytes += static_cast<double>(test::page_bytes(directory.path()));
    }
    return sum;
  }
  // Kept for others, by those that answer.
  long hints(std::size_t without) {
    long sum = 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (i != without) sum += std::atol(nodes_[i]->call("hints").c_str() + 3);
    }
    return sum;
  }

 private:
  const test::TemporaryDirectory data_;
  std::vector<std::unique_ptr<ChildNode>> nodes_;
};

// Adds of unique numbers to the sets of one round.
class Workload {
 public:
  static constexpr int keys = 16;

  Workload(Cluster& cluster, int round) : cluster_(cluster), round_(round) {}

  std::string key(int k) const { return "r" + std::to_string(round_) + "k" + std::to_string(k); }

  void send(std::size_t node) {
    const int element = ++last_;
    const int number =
        cluster_[node].send("add " + key(element % keys) + " " + std::to_string(element));
    waiting_.push_back({node, number, element});
  }
  // Takes the answers of all nodes but the paused one; a killed node has given some.
  void collect(std::size_t paused = nodes_count) {
    std::erase_if(waiting_, [&](const Waiting& add) {
      if (add.node == paused) return false;
      const std::string answer = cluster_[add.node].await(add.number);
      if (answer.starts_with("ok")) {
        acknowledged_.insert(add.element);
      } else if (answer.empty() || answer.find(" not_applied ") == answer.npos) {
        ++unknown_;
      } else {
        refused_.insert(add.element);
      }
      return true;
    });
  }
  // Each node's four threads once, but for those that are down.
  void wave(std::size_t killed, std::size_t paused) {
    for (int i = 0; i < 4; ++i) {
      for (std::size_t node = 0; node < nodes_count; ++node) {
        if (node != killed && node != paused) send(node);
      }
    }
    collect(paused);
  }

  // What is missing at which owner; empty: nothing.
  std::string missing() const {
    std::string missing;
    for (int k = 0; k < keys; ++k) {
      const std::string owners = cluster_[0].call("owners " + key(k));
      REQUIRE(owners.starts_with("ok "));
      REQUIRE(owners.size() == 8);
      for (const std::string& owner : elements(owners.substr(3))) {
        ChildNode& node = cluster_[static_cast<std::size_t>(owner[0] - 'a')];
        const std::string answer = node.call("alone " + key(k));
        INFO("owner " << owner << " of " << key(k) << ": " << answer);
        REQUIRE(answer.starts_with("ok "));
        missing += compare(k, owner, elements(answer.substr(3)));
      }
    }
    return missing;
  }
  std::size_t acknowledged() const { return acknowledged_.size(); }
  int unknown() const { return unknown_; }
  std::size_t refused() const { return refused_.size(); }

 private:
  struct Waiting {
    std::size_t node;
    int number;
    int element;
  };

  std::string compare(int k, const std::string& owner, const std::set<std::string>& found) const {
    std::string wrong;
    for (const int element : acknowledged_) {
      if (element % keys != k || found.contains(std::to_string(element))) continue;
      wrong += " " + owner + " lacks " + std::to_string(element) + ";";
    }
    for (const std::string& element : found) {
      const int number = std::atoi(element.c_str());
      const bool added = number >= 1 && number <= last_ && number % keys == k;
      if (added && !refused_.contains(number)) continue;
      wrong += " " + owner + " has " + element +
               (added ? ", which was refused;" : ", which nobody added;");
    }
    return wrong;
  }

  Cluster& cluster_;
  const int round_;
  std::vector<Waiting> waiting_;
  std::set<int> acknowledged_;
  std::set<int> refused_;  // no replica took it, and none will
  int last_ = 0;
  int unknown_ = 0;
};

// One for the process, for it moves in.
test::Network& the_network() {
  static test::Network network(nodes_count);
  return network;
}

// What goes wrong in a round: the network in one way, and a process in another.
struct Faults {
  enum Cut { isolated, halved, one_way } cut = isolated;
  enum Process { killed, paused } process = killed;
  std::vector<std::size_t> nodes{};  // drawn: the first ones are who it meets

  std::size_t victim() const { return nodes[2]; }  // of the process's fault

  void apply(test::Network& network) const {
    if (cut == isolated) network.isolate(nodes[0]);
    if (cut == halved) network.split({nodes[0], nodes[1]});
    if (cut == one_way) network.cut(nodes[0], nodes[1]);
  }
  std::string text() const {
    const auto name = [this](std::size_t i) {
      return std::string(1, static_cast<char>('a' + nodes[i]));
    };
    const std::array<std::string, 3> cuts = {name(0) + " isolated", name(0) + name(1) + " cut off",
                                             name(1) + " does not hear " + name(0)};
    return cuts[cut] + ", " + name(2) + (process == killed ? " killed" : " paused");
  }
};

Faults draw(int round, std::mt19937_64& random) {
  Faults faults{.cut = static_cast<Faults::Cut>(round % 3),
                .process = round % 2 == 1 ? Faults::paused : Faults::killed,
                .nodes = {0, 1, 2, 3, 4}};
  std::ranges::shuffle(faults.nodes, random);
  return faults;
}

// Until no node keeps anything for another and all owners are equal. Returns what was last waited
// for, if it took long.
std::string settle(Cluster& cluster) {
  const auto start = steady_clock::now();
  std::string last;
  for (bool settled = false; !settled;) {
    settled = true;
    std::string state;
    const auto require = [&](std::size_t node, const std::string& request,
                             const std::string& wanted) {
      const std::string answer = cluster[node].call(request);
      if (answer == wanted) return;
      settled = false;
      state +=
          std::string(1, static_cast<char>('a' + node)) + ": " + request + ": " + answer + "\n";
    };
    for (std::size_t i = 0; i < nodes_count; ++i) require(i, "hints", "ok 0");
    for (std::size_t i = 0; i < nodes_count; ++i) require(i, "converge 20000", "ok ");
    INFO(state);
    REQUIRE(seconds_since(start) < 120);
    if (seconds_since(start) > 10 && !state.empty()) last = "\n" + state;
  }
  return last;
}

struct Durations {
  seconds cut{4};
  seconds pause{3};
};

// One round of faults under the workload. Prints what it was like.
test::SoakSample run_round(int round, const Faults& faults, const Durations& durations,
                           test::Network& network, Cluster& cluster) {
  Workload workload(cluster, round);
  ChildNode& victim = cluster[faults.victim()];
  const bool pauses = faults.process == Faults::paused;
  const std::size_t nobody = nodes_count;
  const std::size_t killed = pauses ? nobody : faults.victim();
  const std::size_t paused = pauses ? faults.victim() : nobody;
  const auto work_for = [&](seconds duration, std::size_t without, std::size_t asleep) {
    const auto start = steady_clock::now();
    do {
      workload.wave(without, asleep);
    } while (seconds_since(start) < static_cast<double>(duration.count()));
  };
  workload.wave(nobody, nobody);
  for (std::size_t i = 0; i < nodes_count; ++i) workload.send(i);  // in flight when it happens
  faults.apply(network);
  workload.collect();
  work_for(durations.cut / 2, nobody, nobody);
  for (int i = 0; i < 4; ++i) workload.send(faults.victim());
  if (pauses) {
    victim.pause();
  } else {
    victim.kill();
  }
  work_for(pauses ? durations.pause : durations.cut / 2, killed, paused);
  if (pauses) {
    victim.resume();
  } else {
    cluster.start(faults.victim());
  }
  work_for(durations.cut / 4, nobody, nobody);
  const long hints = cluster.hints(nobody);
  network.heal();
  const auto healed = steady_clock::now();
  workload.wave(nobody, nobody);
  const std::string slow = settle(cluster);
  const double settled = seconds_since(healed);
  const std::string missing = workload.missing();
  test::SoakSample taken = cluster.resources();
  taken.hints = hints;
  std::cout << "round " << round << ": " << faults.text() << ": " << workload.acknowledged()
            << " acknowledged, " << workload.unknown() << " unknown, " << workload.refused()
            << " refused; equal " << settled << " s after healing; " << taken.kibibytes / 1024
            << " MiB, " << taken.descriptors << " descriptors" << slow << std::endl;
  INFO(missing);
  REQUIRE(missing.empty());
  REQUIRE(workload.acknowledged() > 100);
  return taken;
}

}  // namespace

TEST_CASE("five processes on a network that is cut lose nothing that was acknowledged") {
  test::Network& network = the_network();
  if (!network.why_not().empty()) {
    WARN(network.why_not());
    return;
  }
  const int seed = number_from_environment("DYNAMO_SEED", 20071014);
  const int rounds = number_from_environment("DYNAMO_NETWORK_ROUNDS", 3);
  const int soak_seconds = number_from_environment("DYNAMO_NETWORK_SECONDS", 0);
  const Durations durations{.pause = seconds(number_from_environment("DYNAMO_PAUSE_SECONDS", 3))};
  INFO("seed " << seed);
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  Cluster cluster(network);
  const auto start = steady_clock::now();
  test::SoakReport report;
  for (int round = 0; round < rounds || seconds_since(start) < soak_seconds; ++round) {
    const Faults faults = draw(round, random);
    INFO("round " << round << ": " << faults.text());
    test::SoakSample taken = run_round(round, faults, durations, network, cluster);
    taken.minutes = seconds_since(start) / 60;
    report.add(taken);
  }
  std::cout << report.table();
  if (const char* plot = std::getenv("DYNAMO_SOAK_PLOT"); plot != nullptr) {
    std::ofstream(plot) << report.svg();
  }
  CHECK(report.growth() == "");
}

// What buffered stores promise is less, and so the check must find what they lose: the last second,
// if all die at once.
TEST_CASE("the check of the network's faults finds what dies in object buffers") {
  test::Network& network = the_network();
  if (!network.why_not().empty()) {
    WARN(network.why_not());
    return;
  }
  Cluster cluster(network, "buffered");
  std::string missing;
  // Where a machine stalls for a second before the kill, all is on the disk.
  for (int round = 0; round < 5 && missing.empty(); ++round) {
    Workload workload(cluster, round);
    for (int wave = 0; wave < 5; ++wave) workload.wave(nodes_count, nodes_count);
    for (std::size_t i = 0; i < nodes_count; ++i) cluster[i].kill();
    for (std::size_t i = 0; i < nodes_count; ++i) cluster.start(i);
    settle(cluster);
    missing = workload.missing();
  }
  CHECK(missing.find("lacks") != std::string::npos);
}

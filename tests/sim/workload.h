#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "base/prng.h"

// A few clients that get, put and erase a few keys through random nodes, all at once, and a model
// that says what each get must and must not show.
//
// Every object is written once, so it names its write. A write is covered once some write was sent
// whose context came from a get that showed it, from its own put, or from a put with such a
// context: that one may have replaced it. What was acknowledged before a get began, and is not
// covered when it ends, must be in its result (r + w > n, a stable ring, strict quorums).
class Workload {
 public:
  Workload(dynamo::testing::SimCluster& cluster, std::uint64_t seed, int operations);

  // Runs all operations and then reads every key at every node. Returns the broken rules, in words.
  std::vector<std::string> run();
  int acknowledged() const { return static_cast<int>(acknowledged_.size()); }

 private:
  using Objects = std::set<std::string>;
  struct Client {
    // What the context that it holds has seen, by key.
    std::map<std::string, std::pair<dynamo::Context, Objects>> seen{};
  };

  void next(std::size_t client);
  void get(std::size_t client, const std::string& key);
  void write(std::size_t client, const std::string& key);
  void check(const std::string& key, const Objects& required,
             const absl::StatusOr<dynamo::GetResult>& result);
  Objects acknowledged_of(const std::string& key) const;
  const dynamo::Store& any_store() { return stores_[prng_.below(stores_.size())]; }

  dynamo::testing::SimCluster& cluster_;
  dynamo::core::Prng prng_;
  std::vector<dynamo::Store> stores_;
  std::vector<Client> clients_;
  int left_;
  int running_ = 0;
  int last_object_ = 0;
  std::map<std::string, std::string> key_of_;  // of every object that was ever sent
  Objects acknowledged_;
  Objects covered_;
  Objects gone_;  // covered by a write that was acknowledged
  std::vector<std::string> broken_;
};

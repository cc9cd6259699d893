// What happens to a shopping cart while the network is split: a test of an application's own
// reconciler, on a whole cluster inside this process. No test framework is needed.

#include <cstdio>
#include <set>
#include <sstream>
#include <string>

#include <dynamo/dynamo.h>
#include <dynamo/testing/sim_cluster.h>

// The cart is a set of words.
std::string merge(std::span<const dynamo::Version> carts) {
  std::set<std::string> items;
  for (const dynamo::Version& cart : carts) {
    std::istringstream words(cart.object);
    for (std::string item; words >> item;) items.insert(item);
  }
  std::string merged;
  for (const std::string& item : items) merged += item + " ";
  return merged;
}

int main() {
  dynamo::testing::SimCluster cluster({.nodes = 5});
  const dynamo::StoreOptions policy{.reconciler = dynamo::reconcile_with(merge)};
  const dynamo::Store phone = cluster.open(0, "carts", policy).value();
  const dynamo::Store laptop = cluster.open(4, "carts", policy).value();

  cluster.partition({{0, 1, 2}, {3, 4}});
  cluster.run_for(std::chrono::seconds(5));  // until both sides have noticed
  const bool both = phone.put("alice", {}, "book").ok() && laptop.put("alice", {}, "pen").ok();
  cluster.heal();
  const bool healed =
      cluster.run_until([&] { return cluster.converged(); }, std::chrono::minutes(5));

  const absl::StatusOr<dynamo::GetResult> cart = phone.get("alice");
  if (!both || !healed || !cart.ok()) return 1;
  std::printf("%s\n", cart->object().c_str());
  return cart->object() == "book pen " ? 0 : 1;
}

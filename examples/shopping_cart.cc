// A cart that two devices fill at the same time, through different nodes. Neither write is lost:
// the store keeps both versions, and the application's own merge makes one cart of them.

#include <cstdio>
#include <set>
#include <sstream>
#include <string>

#include <dynamo/dynamo.h>

#include "local_cluster.h"

namespace {

using Cart = std::set<std::string>;

Cart parse(std::string_view object) {
  std::istringstream lines{std::string(object)};
  Cart cart;
  for (std::string item; std::getline(lines, item);) cart.insert(item);
  return cart;
}

std::string format(const Cart& cart) {
  std::string object;
  for (const std::string& item : cart) object += item + "\n";
  return object;
}

// Whatever any version holds is in the cart. A removed item may come back if another device changed
// the cart at the same moment: the paper's choice, since a lost item is worse.
std::string merge_carts(std::span<const dynamo::Version> siblings) {
  Cart merged;
  for (const dynamo::Version& version : siblings) merged.merge(parse(version.object));
  return format(merged);
}

void add(const dynamo::Store& carts, const dynamo::GetResult& seen, const std::string& item) {
  Cart cart = seen.found() ? parse(seen.object()) : Cart();
  cart.insert(item);
  example::require(carts.put("user:42", seen.context, format(cart)).status());
}

}  // namespace

int main() {
  example::LocalCluster cluster;
  const dynamo::StoreOptions policy{.reconciler = dynamo::reconcile_with(merge_carts)};
  const auto phone = example::require(cluster.node(0).open("carts", policy));
  const auto laptop = example::require(cluster.node(1).open("carts", policy));

  // Both look at the same empty cart, and then both add something.
  const auto on_phone = example::require(phone.get("user:42"));
  const auto on_laptop = example::require(laptop.get("user:42"));
  add(phone, on_phone, "tea");
  add(laptop, on_laptop, "biscuits");

  const auto merged = example::require(phone.get("user:42"));
  std::printf("%zu versions, merged:\n%s", merged.siblings, merged.object().c_str());
  if (parse(merged.object()) != Cart{"tea", "biscuits"}) return 1;

  // Putting the merge with its context ends the conflict.
  add(phone, merged, "jam");
  const auto after = example::require(laptop.get("user:42"));
  std::printf("%zu version after the next put\n", after.siblings);
  return after.siblings == 1 ? 0 : 1;
}

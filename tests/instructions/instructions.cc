// Operations in a simulated cluster, for check.cmake to count the instructions of:
//
//   dynamo_instructions get|get_one|put_buffered|put_synced COUNT
//
// The cluster, its network and its disks are simulated, so that every run is the same.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

namespace {

using dynamo::Context;
using dynamo::Store;

constexpr int keys = 50;

std::string key_of(int number) { return "key " + std::to_string(number % keys); }

// Fails as a test does: with a reason, and not with 0.
template <class Result>
void require(const Result& result) {
  if (result.ok()) return;
  std::fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string operation = argv[1];
  const int count = std::atoi(argv[2]);
  dynamo::testing::SimCluster cluster({.nodes = 3});
  const dynamo::Durability durability =
      operation == "put_buffered" ? dynamo::Durability::buffered : dynamo::Durability::synced;
  const Store store = cluster.open(0, "carts", {.durability = durability}).value();
  std::vector<Context> contexts(keys);
  const std::string object(100, 'x');
  const auto put = [&](int number) {
    Context& context = contexts[static_cast<std::size_t>(number % keys)];
    auto result = store.put(key_of(number), context, object);
    require(result);
    context = std::move(result->context);
  };
  for (int number = 0; number < keys; ++number) put(number);
  for (int number = 0; number < count; ++number) {
    if (operation == "get") {
      require(store.get(key_of(number)));
    } else if (operation == "get_one") {
      require(store.get(key_of(number), {.r = 1}));
    } else {
      put(number);
    }
  }
}

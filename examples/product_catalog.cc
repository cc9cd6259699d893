// A catalogue: read far more than written. With r = 1 any one replica answers a get; with w = n a
// put is on all of them before it is acknowledged, so that one replica is enough.

#include <cstdio>
#include <string_view>
#include <vector>

#include <dynamo/dynamo.h>

#include "local_cluster.h"

int main() {
  example::LocalCluster cluster;
  const dynamo::StoreOptions policy{.quorum = {.n = 3, .r = 1, .w = 3}};
  const auto office = example::require(cluster.node(0).open("catalog", policy));
  const auto shop = example::require(cluster.node(2).open("catalog", policy));

  for (const char* product : {"tea", "jam", "biscuits"}) {
    const auto change = [product](const dynamo::GetResult&) {
      return std::string(product) + ", 2.50";
    };
    example::require(office.update(product, change).status());
  }

  const std::vector<std::string_view> page = {"tea", "jam", "biscuits", "unicorns"};
  std::size_t found = 0;
  for (const auto& result : shop.get_many(page)) {
    example::require(result.status());
    if (result->found()) ++found;
    std::printf("%s\n", result->found() ? result->object().c_str() : "(no such product)");
  }
  return found == 3 ? 0 : 1;
}

// Sessions: the last write wins, so there is never anything to merge, and a put needs no context.

#include <chrono>
#include <cstdio>

#include <dynamo/dynamo.h>

#include "local_cluster.h"

int main() {
  example::LocalCluster cluster;
  const dynamo::StoreOptions policy{.reconciler = dynamo::last_write_wins(),
                                    .durability = dynamo::Durability::buffered,
                                    .ttl = std::chrono::hours(1)};
  const auto web = example::require(cluster.node(0).open("sessions", policy));
  const auto app = example::require(cluster.node(1).open("sessions", policy));

  example::require(web.put("session:7", dynamo::Context(), "page=home").status());
  const auto seen = example::require(app.get("session:7"));
  std::printf("the app sees %s\n", seen.object().c_str());

  // A write that has seen another always beats it, whatever the clocks of the nodes say.
  example::require(app.put("session:7", seen.context, "page=checkout").status());
  const auto last = example::require(web.get("session:7"));
  std::printf("and now %s, of %zu version\n", last.object().c_str(), last.siblings);
  if (last.object() != "page=checkout") return 1;

  // Logging out needs no context either.
  example::require(web.erase("session:7", dynamo::Context()).status());
  const auto gone = example::require(app.get("session:7"));
  std::printf("after logging out: %s\n", gone.found() ? "still there" : "absent");
  return gone.found() ? 1 : 0;
}

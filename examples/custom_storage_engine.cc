// An engine of one's own, log_storage.h: first the contract, tried by the library's own check, then
// a node that keeps its data in it and finds them again.

#include <cstdio>

#include <dynamo/dynamo.h>
#include <dynamo/testing/storage_engine_check.h>

#include "local_cluster.h"
#include "log_storage.h"

int main() {
  const example::Directory data;
  int made = 0;
  example::require(dynamo::testing::storage_engine_check(
      [&] { return example::LogStorage::open(data.path() / std::to_string(++made)); }));
  example::require(dynamo::testing::storage_engine_reopen_check(
      [&] { return example::LogStorage::open(data.path() / "same place"); }));
  std::puts("the engine keeps its contract");

  std::vector<dynamo::Member> members = example::local_members(1);
  for (const std::string expected : {"", "kept"}) {  // the second node finds what the first wrote
    dynamo::Components parts{.membership = dynamo::fixed_membership(members)};
    parts.storage = example::require(example::LogStorage::open(data.path() / "node"));
    const dynamo::NodeOptions options{.name = "a", .listen = members[0].address};
    dynamo::Node node = example::require(dynamo::Node::start(options, std::move(parts)));
    const dynamo::Store store = example::require(node.open("s", {.quorum = {1, 1, 1}}));
    const dynamo::GetResult found = example::require(store.get("k"));
    if ((found.found() ? found.object() : "") != expected) return 1;
    example::require(store.put("k", found.context, "kept").status());
  }
}

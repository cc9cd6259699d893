// A transport of one's own, queue_transport.h: first the contract, tried by the library's own
// check, then three nodes that put and get over it.

#include <cstdio>

#include <dynamo/dynamo.h>
#include <dynamo/testing/transport_check.h>

#include "local_cluster.h"
#include "queue_transport.h"

int main() {
  example::Switchboard board;
  int made = 0;
  const auto at = [&](const std::string& address) {
    return std::make_unique<example::QueueTransport>(board, address);
  };
  const auto anywhere = [&] { return at("port " + std::to_string(++made)); };
  example::require(dynamo::testing::transport_check(anywhere));
  example::require(dynamo::testing::transport_address_check(anywhere, at));

  std::vector<dynamo::Member> members(3);
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].name = members[i].address = std::string(1, static_cast<char>('a' + i));
  }
  std::vector<dynamo::Node> nodes;
  for (const dynamo::Member& self : members) {
    dynamo::Components parts{.transport = at(self.address)};
    parts.membership = dynamo::fixed_membership(members);
    parts.storage = dynamo::memory_storage();
    nodes.push_back(example::require(dynamo::Node::start({.name = self.name}, std::move(parts))));
  }
  const dynamo::Store here = example::require(nodes[0].open("greetings"));
  const dynamo::Store there = example::require(nodes[2].open("greetings"));
  example::require(here.put("hello", dynamo::Context(), "world").status());
  const dynamo::GetResult found = example::require(there.get("hello"));
  std::printf("c says: hello %s\n", found.object().c_str());
  nodes.clear();  // before the switchboard
  return found.object() == "world" ? 0 : 1;
}

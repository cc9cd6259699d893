// The first things one does with a store, on a cluster of one; and again after a restart.

#include <cstdio>
#include <string>

#include <dynamo/dynamo.h>

#include "../local_cluster.h"

namespace {

dynamo::Node start(const std::filesystem::path& data, const std::vector<dynamo::Member>& members) {
  dynamo::NodeOptions options{.name = "a", .listen = members[0].address};
  options.data_dir = data;
  dynamo::Components parts{.membership = dynamo::fixed_membership(members)};
  return example::require(dynamo::Node::start(options, std::move(parts)));
}

// Counts a visit. nullopt would erase the key.
std::optional<std::string> one_more(const dynamo::GetResult& seen) {
  return std::to_string(seen.found() ? std::stoi(seen.object()) + 1 : 1);
}

absl::Status first_steps(const dynamo::Store& visits) {
  auto seen = visits.get("alice");
  if (!seen.ok()) return seen.status();
  if (seen->found()) return absl::InternalError("nobody was here yet");

  auto put = visits.put("alice", seen->context, "1");  // in place of what `seen` has seen: nothing
  if (!put.ok()) return put.status();
  auto again = visits.put("alice", put->context, "2");  // in place of "1"; no get needed
  if (!again.ok()) return again.status();

  auto raised = visits.update("alice", one_more);  // get, change and put in one
  if (!raised.ok()) return raised.status();
  auto left = visits.update("bob", one_more);
  if (!left.ok()) return left.status();
  return visits.erase("bob", left->context).status();
}

}  // namespace

int main() {
  const example::Directory data;
  const auto members = example::local_members(1);
  const dynamo::StoreOptions policy{.quorum = {.n = 1, .r = 1, .w = 1}};
  {
    dynamo::Node node = start(data.path() / "a", members);
    example::require(first_steps(example::require(node.open("visits", policy))));
  }  // ~Node() stops it: what was acknowledged is on the disk

  dynamo::Node node = start(data.path() / "a", members);
  const dynamo::Store visits = example::require(node.open("visits", policy));
  const dynamo::GetResult alice = example::require(visits.get("alice"));
  const dynamo::GetResult bob = example::require(visits.get("bob"));
  std::printf("alice: %s, bob: %s\n", alice.object().c_str(), bob.found() ? "there" : "gone");
  return alice.object() == "3" && !bob.found() ? 0 : 1;
}

// The first things one does with a store, on a cluster of one; and again after a restart.

#include <cstdio>
#include <string>

#include <dynamo/dynamo.h>

#include "../local_cluster.h"

namespace {

dynamo::Node start(const std::filesystem::path& data, const std::vector<std::string>& seeds) {
  dynamo::NodeOptions options{.name = "a", .listen = seeds[0]};
  options.seeds = seeds;  // the same on all nodes: whom to ask for the cluster
  options.data_dir = data;
  return example::require(dynamo::Node::start(options));
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
  const std::vector<std::string> seeds = {example::local_members(1)[0].address};
  const dynamo::StoreOptions policy{.quorum = {.n = 1, .r = 1, .w = 1}};
  {
    dynamo::Node node = start(data.path() / "a", seeds);
    example::require(first_steps(example::require(node.open("visits", policy))));
  }  // ~Node() stops it: what was acknowledged is on the disk

  dynamo::Node node = start(data.path() / "a", seeds);
  const dynamo::Store visits = example::require(node.open("visits", policy));
  const dynamo::GetResult alice = example::require(visits.get("alice"));
  const dynamo::GetResult bob = example::require(visits.get("bob"));
  std::printf("alice: %s, bob: %s\n", alice.object().c_str(), bob.found() ? "there" : "gone");
  return alice.object() == "3" && !bob.found() ? 0 : 1;
}

// Three stores of one cluster, each with the quorum and durability that its data wants.

#include <cstdio>

#include <dynamo/dynamo.h>

#include "../local_cluster.h"

namespace {

const dynamo::StoreOptions orders{};  // n = 3, r = 2, w = 2, synced
const dynamo::StoreOptions catalog{.quorum = {.n = 3, .r = 1, .w = 3}};
const dynamo::StoreOptions clicks{.quorum = {.n = 3, .r = 1, .w = 1},
                                  .reconciler = dynamo::last_write_wins(),
                                  .durability = dynamo::Durability::buffered};

// A single request may ask for more, or less, than its store.
absl::Status payment(const dynamo::Store& store) {
  auto put = store.put("order:7", dynamo::Context(), "paid", {.w = 3});
  if (!put.ok()) return put.status();
  std::printf("stored by: %s\n", dynamo::to_string(put->outcome).c_str());
  return store.get("order:7", {.r = 1}).status();
}

// What this user wrote, whatever r is: an answer that has seen the write, or UNAVAILABLE.
absl::Status read_own_write(const dynamo::Store& writer, const dynamo::Store& reader) {
  auto put = writer.put("click", dynamo::Context(), "42", {.w = 3});
  if (!put.ok()) return put.status();
  auto seen = reader.get("click", {.at_least = &put->context});
  if (!seen.ok()) return seen.status();
  return seen->object() == "42" ? absl::OkStatus() : absl::InternalError("another click");
}

}  // namespace

int main() {
  example::LocalCluster cluster;
  example::require(payment(example::require(cluster.node(0).open("orders", orders))));
  example::require(read_own_write(example::require(cluster.node(0).open("clicks", clicks)),
                                  example::require(cluster.node(1).open("clicks", clicks))));

  const dynamo::Store shelf = example::require(cluster.node(2).open("catalog", catalog));
  example::require(shelf.put("tea", dynamo::Context(), "4.20").status());
  for (const std::string& owner : shelf.preference_list("tea")) std::printf("%s ", owner.c_str());
  std::printf("own the tea\n");

  // n is a fact of the store: whoever opens it otherwise is refused.
  const dynamo::StoreOptions other{.quorum = {.n = 2, .r = 1, .w = 1}};
  const absl::Status refused = cluster.node(2).open("catalog", other).status();
  std::printf("%s\n", refused.ToString().c_str());
  return absl::IsFailedPrecondition(refused) ? 0 : 1;
}

// An application that knows the installed package only: one node, one store, one object.

#include <cstdio>
#include <string>
#include <utility>

#include <dynamo/dynamo.h>

namespace {

int fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main() {
  dynamo::Components parts;
  parts.membership = dynamo::fixed_membership({{.name = "only", .address = "127.0.0.1:1"}});
  parts.storage = dynamo::memory_storage();
  absl::StatusOr<dynamo::Node> node =
      dynamo::Node::start({.name = "only", .listen = "127.0.0.1:0"}, std::move(parts));
  if (!node.ok()) return fail(node.status());
  absl::StatusOr<dynamo::Store> store =
      node->open("greetings", {.quorum = {.n = 1, .r = 1, .w = 1}});
  if (!store.ok()) return fail(store.status());
  const auto put = store->put("hello", dynamo::Context(), "world");
  if (!put.ok()) return fail(put.status());
  const auto got = store->get("hello");
  if (!got.ok()) return fail(got.status());
  std::printf("hello %s\n", got->object().c_str());
  return got->object() == "world" ? 0 : 1;
}

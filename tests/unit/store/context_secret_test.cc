// NodeOptions::context_secret from the application's side. What is refused in detail, and why, is
// tested in causality/context_seal_test.cc.

#include <string>

#include <dynamo/testing/sim_cluster.h>

#include "base/mac.h"
#include "catch.hpp"

namespace {

using dynamo::Context;
using dynamo::NodeOptions;
using dynamo::Store;
using dynamo::testing::SimCluster;
using test::ContainsSubstring;

// Clusters of the same names are one cluster, so a context of one fits the other.
struct Cluster {
  explicit Cluster(std::string secret, std::vector<std::string> accepted = {})
      : cluster({.nodes = 3,
                 .node = {.context_secret = std::move(secret),
                          .context_secrets_accepted = std::move(accepted)}}),
        store(*cluster.open(0, "carts")),
        elsewhere(*cluster.open(1, "carts")) {}

  // The text of a context that has seen one put.
  std::string text() { return store.put("alice", Context(), "book")->context.encode(); }
  absl::Status put(const std::string& text, std::string_view key = "alice") {
    const auto context = Context::decode(text);
    if (!context.ok()) return context.status();
    return elsewhere.put(key, *context, "pen").status();
  }

  SimCluster cluster;
  Store store;
  Store elsewhere;
};

bool is_refused(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument;
}

TEST_CASE("contexts of nodes with a secret come back at any node, and replace what they saw") {
  if (!dynamo::core::has_mac()) return;
  Cluster nodes("secret");
  CHECK(nodes.put(nodes.text()).ok());
  const auto found = nodes.store.get("alice");
  REQUIRE(found.ok());
  CHECK(found->object() == "pen");

  const std::string of_get = found->context.encode();
  CHECK(nodes.put(of_get).ok());
  CHECK(nodes.elsewhere.erase("alice", *Context::decode(of_get)).ok());
  const Context at_least = *Context::decode(of_get);
  CHECK(nodes.store.get("alice", {.at_least = &at_least}).ok());
  CHECK(nodes.store.put("alice", nodes.store.get("alice")->context, "never left").ok());
}

TEST_CASE("with a secret, what is not authenticated is refused by the call that uses it") {
  if (!dynamo::core::has_mac()) return;
  Cluster nodes("secret");
  const std::string plain = Cluster("").text();
  const std::string foreign = Cluster("another secret").text();
  for (const std::string& text : {plain, foreign}) {
    CHECK(is_refused(nodes.put(text)));
    const Context context = *Context::decode(text);
    CHECK(is_refused(nodes.store.get("alice", {.at_least = &context}).status()));
    CHECK(is_refused(nodes.store.erase("alice", context).status()));
  }
  CHECK_THAT(std::string(nodes.put(plain).message()), ContainsSubstring("not authenticated"));
  CHECK_THAT(std::string(nodes.put(foreign).message()), ContainsSubstring("context_secret"));
  CHECK_THAT(std::string(nodes.put(nodes.text(), "bob").message()),
             ContainsSubstring("another key"));
  CHECK_FALSE(nodes.store.get("alice")->versions.empty());
  CHECK(nodes.store.put("alice", Context(), "an empty context is nobody's").ok());
}

TEST_CASE("a node without a secret takes contexts with a MAC as they are") {
  if (!dynamo::core::has_mac()) return;
  Cluster nodes("");
  CHECK(nodes.put(Cluster("secret").text()).ok());
}

TEST_CASE("both secrets are good during a rotation") {
  if (!dynamo::core::has_mac()) return;
  const std::string by_old = Cluster("old").text();
  const std::string by_new = Cluster("new", {"old"}).text();
  CHECK(Cluster("old", {"new"}).put(by_old).ok());
  CHECK(Cluster("old", {"new"}).put(by_new).ok());
  CHECK(Cluster("new", {"old"}).put(by_old).ok());
  CHECK(Cluster("new").put(by_new).ok());
  CHECK(is_refused(Cluster("new").put(by_old)));
  CHECK(is_refused(Cluster("old").put(by_new)));
}

TEST_CASE("secrets that cannot be used are refused by name") {
  const auto refusal = [](std::string secret, std::vector<std::string> accepted) {
    const NodeOptions options{.name = "a",
                              .context_secret = std::move(secret),
                              .context_secrets_accepted = std::move(accepted)};
    const absl::Status status = options.validate();
    CHECK(is_refused(status));
    return std::string(status.message());
  };
  CHECK_THAT(refusal("", {"old"}), ContainsSubstring("context_secrets_accepted: 1 secrets, but "
                                                     "context_secret is empty"));
  CHECK_THAT(refusal("new", std::vector<std::string>(9, "old")),
             ContainsSubstring("context_secrets_accepted: 9 secrets, the limit is 8"));
  const NodeOptions good{.name = "a", .context_secret = "new"};
  if (!dynamo::core::has_mac()) {
    CHECK_THAT(refusal("new", {}), ContainsSubstring("context_secret: given, but this library was "
                                                     "built without libcrypto"));
    return;
  }
  CHECK(good.validate().ok());
  CHECK_THAT(refusal("new", {"old", ""}),
             ContainsSubstring("context_secrets_accepted: a secret of 0 bytes"));
  CHECK_THAT(refusal(std::string(5000, 'x'), {}),
             ContainsSubstring("context_secret: a secret of 5000 bytes, the limit is 1 to 4096"));
}

}  // namespace

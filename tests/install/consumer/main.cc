// An application that knows the installed package only: a node, a store, an object; on threads of
// the library's own, and on a loop of the application's.

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include <dynamo/dynamo.h>
#include <asio/io_context.hpp>

namespace {

int fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

// Two nodes on the application's own loop: their sockets, which asio's code in the library and
// asio's code in here look after together. Hidden in the library, what a thread runs was not to be
// found there, and the first packet ended the process.
int serve_on_own_loop() {
  asio::io_context io(1);
  std::optional<dynamo::Node> nodes[2];
  std::string seed;
  for (const char* name : {"a", "b"}) {
    dynamo::Components parts{.storage = dynamo::memory_storage(), .executor = io.get_executor()};
    dynamo::NodeOptions options{.name = name, .listen = "127.0.0.1:0"};
    if (!seed.empty()) options.seeds = {seed};
    absl::StatusOr<dynamo::Node> node = dynamo::Node::start(options, std::move(parts));
    if (!node.ok()) return fail(node.status());
    seed = node->address();
    nodes[name[0] - 'a'].emplace(*std::move(node));
  }
  const auto both = [&] { return nodes[0]->status().members.size() == 2; };
  for (int tries = 0; tries < 600 && !both(); ++tries) io.run_for(std::chrono::milliseconds(100));
  const absl::StatusOr<dynamo::Store> store =
      nodes[0]->open("greetings", {.quorum = {.n = 2, .r = 2, .w = 2}});
  if (!store.ok()) return fail(store.status());
  absl::Status answer = absl::UnknownError("no answer");
  store->async_put("hello", dynamo::Context(), "world", [&](auto put) { answer = put.status(); });
  for (int tries = 0; tries < 600 && absl::IsUnknown(answer); ++tries) {
    io.run_for(std::chrono::milliseconds(100));
  }
  return answer.ok() ? 0 : fail(answer);
}

}  // namespace

int main() {
  if (serve_on_own_loop() != 0) return 1;
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

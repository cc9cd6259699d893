// A handle in the child of a fork is dead and says so; the parent goes on (trap H9).

#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dynamo/membership/fixed.h>
#include <dynamo/node.h>

#include "catch.hpp"
#include "unit/storage/temporary_directory.h"

namespace {

using dynamo::Context;
using test::TemporaryDirectory;

// What `in_child` returns there, which is 0 to 255; negative if the child died of something else.
int result_of_child(const std::function<int()>& in_child) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);  // a child that hangs is a failure, not a hang
    _exit(in_child());
  }
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool says_so(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) &&
         status.message().find("belongs to the parent process") != absl::string_view::npos;
}

absl::StatusOr<dynamo::Node> start(const TemporaryDirectory& directory) {
  dynamo::Components components;
  components.membership = dynamo::fixed_membership({{.name = "a", .address = "127.0.0.1:1"}});
  return dynamo::Node::start({.name = "a", .listen = "127.0.0.1:0", .data_dir = directory.path()},
                             std::move(components));
}

}  // namespace

TEST_CASE("fork: every call in the child is refused at once, and the parent goes on") {
  const TemporaryDirectory directory;
  auto node = start(directory);
  REQUIRE(node.ok());
  const auto store = node->open("carts", {.quorum = {.n = 1, .r = 1, .w = 1}});
  REQUIRE(store.ok());
  REQUIRE(store->put("k", Context(), "tea").ok());

  const int failed = result_of_child([&] {
    const std::vector<std::function<bool()>> calls = {
        [&] { return says_so(store->get("k").status()); },
        [&] { return says_so(store->put("k", Context(), "cake").status()); },
        [&] { return says_so(store->erase("k", Context()).status()); },
        [&] { return says_so(store->update("k", [](const auto&) { return "x"; }).status()); },
        [&] { return says_so(store->get_many(std::vector<std::string_view>{"k"}).at(0).status()); },
        [&] { return says_so(node->open("others").status()); },
        [&] { return store->preference_list("k").empty() && node->ring().owners.empty(); },
        [&] { return says_so(absl::FailedPreconditionError(node->status().notes.at(0))); },
        [&] { return node->stats().puts == 0; }, [&] { return node->stop(), true; },
        // The directory is the parent's, whoever asks.
        [&] { return !start(directory).ok(); }};
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (!calls[i]()) return static_cast<int>(i) + 1;
    }
    return 0;
  });
  CHECK(failed == 0);
  CHECK(store->get("k")->object() == "tea");
  CHECK(store->put("k", Context(), "cake").ok());
}

TEST_CASE("fork: the child may destroy its copies, and start a node of its own") {
  const TemporaryDirectory directory;
  const TemporaryDirectory others;
  std::optional<dynamo::Node> node = start(directory).value();
  std::optional<dynamo::Store> store =
      node->open("carts", {.quorum = {.n = 1, .r = 1, .w = 1}}).value();
  REQUIRE(store->put("k", Context(), "tea").ok());
  const int result = result_of_child([&] {
    node.reset();
    store.reset();
#if defined(__SANITIZE_THREAD__)
    return 0;  // the thread sanitizer forbids threads after a fork
#else
    auto own = start(others);
    if (!own.ok()) return 1;
    const auto carts = own->open("carts", {.quorum = {.n = 1, .r = 1, .w = 1}});
    if (!carts.ok() || !carts->put("k", Context(), "cake").ok()) return 2;
    return carts->get("k")->object() == "cake" ? 0 : 3;
#endif
  });
  CHECK(result == 0);
  CHECK(store->get("k")->object() == "tea");
}

// The handle: what it refuses, what it makes of an answer, and where the application's code runs.

#include <dynamo/store.h>

#include <stdexcept>
#include <string>
#include <vector>

#include <dynamo/node.h>

#include "catch.hpp"
#include "unit/host/lone_node.h"
#include "unit/storage/child_process.h"

using dynamo::Context;
using dynamo::GetResult;
using dynamo::Outcome;
using dynamo::Store;
using dynamo::StoreOptions;
using dynamo::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ContainsSubstring;
using Strings = std::vector<std::string>;

namespace {

constexpr dynamo::Quorum one = {.n = 1, .r = 1, .w = 1};

// A node alone in its cluster, on virtual time, and its handle.
struct Lone {
  Lone() {
    REQUIRE(lone.start().ok());
    node.emplace(lone.host);
  }
  Store open(StoreOptions options = {}, const std::string& name = "carts") {
    options.quorum = one;
    return node->open(name, std::move(options)).value();
  }
  test::LoneNode lone;
  std::optional<dynamo::Node> node;
};

std::string message(const absl::Status& status) { return std::string(status.message()); }

void put_siblings(const Store& store, const Strings& objects) {
  for (const std::string& object : objects) REQUIRE(store.put("k", Context(), object).ok());
}

std::string joined(std::span<const Version> versions) {
  std::string all;
  for (const Version& version : versions) all += version.object;
  return all;
}

}  // namespace

TEST_CASE("store: what is refused has no effect and says why") {
  Lone lone;
  const Store store = lone.open();
  CHECK(message(store.get("").status()) == "get: the key is empty, the limit is 1 to 2048 bytes");
  CHECK(message(store.put("", Context(), "x").status()) ==
        "put: the key is empty, the limit is 1 to 2048 bytes");
  CHECK(message(store.erase("", Context()).status()) ==
        "erase: the key is empty, the limit is 1 to 2048 bytes");
  CHECK(message(store.get("k", {.r = 0}).status()) == "r: 0, the limit is 1 to n=1");
  CHECK(message(store.get("k", {.r = 2}).status()) == "r: 2, the limit is 1 to n=1");
  CHECK(message(store.put("k", Context(), "x", {.w = 0}).status()) ==
        "w: 0, the limit is 1 to n=1");
  CHECK(message(store.put("k", Context(), "x", {.w = 2}).status()) ==
        "w: 2, the limit is 1 to n=1");
  CHECK(message(store.put("k", Context(), "x", {.timeout = milliseconds(0)}).status()) ==
        "timeout: 0 ms, the limit is 1 to 3600000 ms");
  CHECK(message(store.put("k", Context(), "x", {.ttl = seconds(-1)}).status()) ==
        "ttl: -1 s, the limit is 1 to 3153600000 s");
  CHECK(
      absl::IsInvalidArgument(store.put("k", Context(), std::string((1 << 20) + 1, 'x')).status()));
  CHECK_FALSE(store.get("k")->found());
}

TEST_CASE("store: erase needs a context, but in a last-write-wins store") {
  Lone lone;
  const absl::Status refused = lone.open().erase("k", Context()).status();
  CHECK(absl::IsInvalidArgument(refused));
  CHECK(message(refused) ==
        "erase \"k\": the context is empty, so it would delete nothing; pass the context of a get");

  const Store sessions = lone.open({.reconciler = dynamo::last_write_wins()}, "sessions");
  REQUIRE(sessions.put("k", Context(), "tea").ok());
  lone.lone.hands->advance(milliseconds(1));
  CHECK(sessions.erase("k", Context()).ok());
  CHECK_FALSE(sessions.get("k")->found());
}

TEST_CASE("store: a context of another key is refused") {
  Lone lone;
  const Store store = lone.open();
  const Context context = store.put("k", Context(), "tea")->context;
  CHECK(absl::IsInvalidArgument(store.put("other", context, "tea").status()));
  CHECK(absl::IsInvalidArgument(lone.open({}, "other").put("k", context, "tea").status()));
  CHECK(absl::IsInvalidArgument(store.get("other", {.at_least = &context}).status()));
}

TEST_CASE("store: facts are fixed at first use, policies are the handle's") {
  Lone lone;
  const Store carts = lone.open();
  CHECK(lone.open({.siblings_max = 2}).name() == "carts");
  const auto lww =
      lone.node->open("carts", {.quorum = one, .reconciler = dynamo::last_write_wins()});
  CHECK(absl::IsFailedPrecondition(lww.status()));
  const auto n = lone.node->open("carts", {.quorum = {.n = 2, .r = 1, .w = 1}});
  CHECK(message(n.status()) ==
        "store \"carts\" has n=1, siblings kept; asked for n=2, siblings kept; both are fixed at "
        "first use");
  CHECK(absl::IsInvalidArgument(lone.node->open("", {}).status()));
}

TEST_CASE("store: last_write_wins is a marker that replicas act on: one version is ever seen") {
  Lone lone;
  const Store sessions = lone.open({.reconciler = dynamo::last_write_wins()});
  put_siblings(sessions, {"1", "2", "3"});
  const auto got = sessions.get("k");
  CHECK(got->siblings == 1);
  CHECK(got->versions.front().dot.counter > 0);  // a version as it was put, not a merge
}

TEST_CASE("store: without a reconciler all siblings come, ascending by dot") {
  Lone lone;
  const Store store = lone.open();
  put_siblings(store, {"a", "b", "c"});
  const auto got = store.get("k");
  REQUIRE(got.ok());
  REQUIRE(got->versions.size() == 3);
  CHECK(got->siblings == 3);
  CHECK(got->versions[0].dot < got->versions[1].dot);
  CHECK(got->versions[1].dot < got->versions[2].dot);
}

TEST_CASE("store: a reconciler's merge is one version, and its put ends the conflict") {
  Lone lone;
  int calls = 0;
  const Store store = lone.open({.reconciler = dynamo::reconcile_with(
                                     [&calls](std::string_view key, std::span<const Version> all) {
                                       ++calls;
                                       return std::string(key) + ":" + joined(all);
                                     })});
  REQUIRE(store.put("k", Context(), "a").ok());
  CHECK(store.get("k")->object() == "a");
  CHECK(calls == 0);  // one version is no conflict
  lone.lone.hands->advance(milliseconds(5));
  REQUIRE(store.put("k", Context(), "b").ok());
  const auto merged = store.get("k");
  REQUIRE(merged.ok());
  CHECK(merged->object() == "k:ab");
  CHECK(merged->siblings == 2);
  CHECK(merged->versions.front().dot == dynamo::Dot{});
  const auto newest = std::chrono::microseconds(lone.lone.hands->wall_us);
  CHECK(merged->versions.front().written_at.time_since_epoch() == newest);
  REQUIRE(store.put("k", merged->context, merged->object()).ok());
  CHECK(store.get("k")->siblings == 1);
}

TEST_CASE("store: a reconciler that fails or throws is get's error, with the key and the outcome") {
  struct Case {
    std::shared_ptr<const dynamo::Reconciler> reconciler;
    absl::StatusCode code;
    std::string message;
  };
  const std::vector<Case> cases = {
      {dynamo::reconcile_with([](std::span<const Version>) -> absl::StatusOr<std::string> {
         return absl::OutOfRangeError("no such cart");
       }),
       absl::StatusCode::kOutOfRange, "get \"k\": the reconciler failed: no such cart"},
      {dynamo::reconcile_with(
           [](std::span<const Version>) -> std::string { throw std::runtime_error("bad cart"); }),
       absl::StatusCode::kInternal, "get \"k\": the reconciler threw: bad cart"},
      {dynamo::reconcile_with([](std::span<const Version>) -> std::string { throw 42; }),
       absl::StatusCode::kInternal,
       "get \"k\": the reconciler threw: something that is not a std::exception"}};
  for (const Case& one_case : cases) {
    Lone lone;
    const Store store = lone.open({.reconciler = one_case.reconciler});
    put_siblings(store, {"a", "b"});
    const auto got = store.get("k");
    CHECK(got.status().code() == one_case.code);
    CHECK(message(got.status()) == one_case.message);
    REQUIRE(dynamo::outcome_of(got));
    CHECK(dynamo::outcome_of(got)->verdict == Outcome::Verdict::applied);
  }
}

TEST_CASE("store: a blocking call inside a reconciler or a handler is refused at once") {
  Lone lone;
  const Store other = lone.open({}, "other");
  absl::Status inside;
  const Store store =
      lone.open({.reconciler = dynamo::reconcile_with([&](std::span<const Version> all) {
                   inside = other.get("x").status();
                   return joined(all);
                 })});
  put_siblings(store, {"a", "b"});
  REQUIRE(store.get("k").ok());
  CHECK(absl::IsFailedPrecondition(inside));
  CHECK(message(inside) == "a blocking call inside a handler or a reconciler; use the async form");

  std::vector<absl::Status> refused;
  store.async_get("k", [&](const absl::StatusOr<GetResult>&) {
    const std::vector<std::string_view> keys = {"x"};
    refused = {other.get("x").status(), other.put("x", Context(), "y").status(),
               other.erase("x", Context()).status(), other.get_many(keys).front().status()};
  });
  lone.lone.hands->run();
  REQUIRE(refused.size() == 4);
  for (const absl::Status& status : refused) CHECK(absl::IsFailedPrecondition(status));
  CHECK(other.get("x").ok());  // out of it, all is well again
}

TEST_CASE("store: handlers never run inside the call, not even for what is refused") {
  Lone lone;
  const Store store = lone.open();
  int calls = 0;
  store.async_get("", [&](const absl::StatusOr<GetResult>& got) {
    CHECK(absl::IsInvalidArgument(got.status()));
    ++calls;
  });
  store.async_put("k", Context(), "tea", [&](const absl::StatusOr<dynamo::PutResult>& put) {
    CHECK(put.ok());
    ++calls;
  });
  store.async_get_many({}, [&](const std::vector<absl::StatusOr<GetResult>>& all) {
    CHECK(all.empty());
    ++calls;
  });
  CHECK(calls == 0);
  lone.lone.hands->run();
  CHECK(calls == 3);
}

TEST_CASE("store: GetResult::object is the object of the only version, and nothing else's") {
  const GetResult found{.versions = {{.object = "tea"}}};
  CHECK(found.object() == "tea");
  CHECK(GetResult{.versions = {{.object = "tea"}}}.object() == "tea");
  const auto dies = [](const GetResult& result) {
    test::ChildProcess child([&result] {
      signal(SIGABRT, SIG_DFL);
      close(STDERR_FILENO);
      return static_cast<int>(result.object().size());
    });
    return child.wait() == -SIGABRT;
  };
  CHECK(dies(GetResult{}));
  CHECK(dies(GetResult{.versions = {{.object = "a"}, {.object = "b"}}}));
}

TEST_CASE("store: update changes, creates and erases") {
  Lone lone;
  const Store store = lone.open();
  const auto append = [](const GetResult& now) -> std::optional<std::string> {
    return now.found() ? now.object() + "x" : "x";
  };
  REQUIRE(store.update("k", append).ok());
  REQUIRE(store.update("k", append).ok());
  CHECK(store.get("k")->object() == "xx");
  const auto nothing = [](const GetResult&) { return std::optional<std::string>(); };
  REQUIRE(store.update("k", nothing).ok());
  CHECK_FALSE(store.get("k")->found());
  const std::uint64_t puts = lone.node->stats().puts;
  CHECK(store.update("k", nothing).ok());
  CHECK(lone.node->stats().puts == puts);
}

TEST_CASE("store: get_many keeps the order, each key has its own status") {
  Lone lone;
  const Store store = lone.open();
  REQUIRE(store.put("k", Context(), "tea").ok());
  const std::vector<std::string_view> keys = {"absent", "", "k"};
  const auto all = store.get_many(keys);
  REQUIRE(all.size() == 3);
  CHECK_FALSE(all[0]->found());
  CHECK(absl::IsInvalidArgument(all[1].status()));
  CHECK(all[2]->object() == "tea");
}

TEST_CASE("store: outlives its node and says that it has stopped") {
  std::optional<Store> store;
  {
    Lone lone;
    store = lone.open();
    lone.node->stop();
    CHECK(absl::IsFailedPrecondition(lone.node->open("other", {.quorum = one}).status()));
  }
  CHECK(absl::IsFailedPrecondition(store->get("k").status()));
  CHECK(message(store->put("k", Context(), "tea").status()) == "node \"a\" has stopped");
  CHECK(store->preference_list("k").empty());
  CHECK(store->name() == "carts");
}

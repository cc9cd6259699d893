// A library is a guest in somebody else's process. What it may do there: what it was asked for.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <future>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <dynamo/membership/fixed.h>
#include <dynamo/node.h>

#include "catch.hpp"
#include "host_process.h"
#include "unit/storage/temporary_directory.h"

namespace {

using dynamo::Context;
using dynamo::Node;
using test::descriptors;
using test::TemporaryDirectory;
using test::threads;

// What each signal does, and which are blocked, as bytes that can be compared.
std::string signals() {
  std::ostringstream text;
  sigset_t blocked;
  sigemptyset(&blocked);
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  for (int number = 1; number < 32; ++number) {
    struct sigaction action = {};
    sigaction(number, nullptr, &action);
    text << number << ':' << reinterpret_cast<const void*>(action.sa_handler) << ':'
         << action.sa_flags << ':' << sigismember(&blocked, number) << ' ';
  }
  return text.str();
}

// Everything that is written to stdout and stderr while it lives.
class Captured {
 public:
  explicit Captured(const TemporaryDirectory& directory)
      : path_(directory.path() / "output"),
        file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    for (const int target : {1, 2}) {
      saved_.push_back(::dup(target));
      ::dup2(file_, target);
    }
  }
  ~Captured() { restore(); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  std::uintmax_t bytes() const { return std::filesystem::file_size(path_); }
  void restore() {
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      ::dup2(saved_[i], static_cast<int>(i) + 1);
      ::close(saved_[i]);
    }
    saved_.clear();
    if (file_ >= 0) ::close(std::exchange(file_, -1));
  }

 private:
  std::filesystem::path path_;
  int file_;
  std::vector<int> saved_;
};

absl::StatusOr<Node> start(const TemporaryDirectory& directory, const std::string& listen) {
  dynamo::Components components;
  components.membership = dynamo::fixed_membership(
      {{.name = "a", .address = "127.0.0.1:1"}, {.name = "b", .address = "127.0.0.1:2"}});
  return Node::start({.name = "a", .listen = listen, .data_dir = directory.path() / "node"},
                     std::move(components));
}

// The thread sanitizer brings a thread of its own along with the first that a process starts.
void start_a_thread() {
  std::thread([] {}).join();
}

// A life with all that may go wrong in one: good calls, refused ones, ones that fail.
void live(Node& node) {
  auto store = node.open("carts", {.quorum = {.n = 2, .r = 1, .w = 1}});
  REQUIRE(store.ok());
  CHECK(store->put("k", Context(), "tea").ok());
  CHECK(store->get("k").ok());
  CHECK_FALSE(store->put("", Context(), "tea").ok());
  CHECK_FALSE(
      store->put("k", Context(), "tea", {.w = 2, .timeout = std::chrono::milliseconds(50)}).ok());
  CHECK_FALSE(store->get("k", {.r = 2, .timeout = std::chrono::milliseconds(50)}).ok());
}

}  // namespace

TEST_CASE("a node leaves nothing behind: no thread, descriptor, signal or output") {
  const TemporaryDirectory directory;
  start_a_thread();
  const auto threads_before = threads();
  const auto descriptors_before = descriptors();
  const std::string signals_before = signals();
  for (int life = 0; life < 3; ++life) {
    Captured captured(directory);
    {
      auto node = start(directory, "127.0.0.1:0");
      REQUIRE(node.ok());
      live(*node);
      CHECK(signals() == signals_before);
      // Refused starts leave nothing either: the port and the directory are taken.
      CHECK_FALSE(start(directory, "127.0.0.1:0").ok());
      const TemporaryDirectory other;
      CHECK_FALSE(start(other, node->address()).ok());
    }
    CHECK(captured.bytes() == 0);
    captured.restore();
    CHECK(test::threads_end_at(threads_before));
    CHECK(descriptors() == descriptors_before);
    CHECK(signals() == signals_before);
  }
}

TEST_CASE("a node has the threads that the documentation names, and no inheritable descriptor") {
  const TemporaryDirectory directory;
  start_a_thread();
  const auto threads_before = threads();
  const auto descriptors_before = descriptors();
  auto node = start(directory, "127.0.0.1:0");
  REQUIRE(node.ok());
  live(*node);
  auto expected = threads_before;
  expected.insert({"dyn-loop", "dyn-call", "dyn-flush"});
  CHECK(threads() == expected);
  for (const int descriptor : descriptors()) {
    if (descriptors_before.contains(descriptor)) continue;
    CAPTURE(descriptor,
            std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor)));
    CHECK((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("a reconciler that blocks for a second holds up nobody else") {
  const TemporaryDirectory directory;
  auto node = start(directory, "127.0.0.1:0");
  REQUIRE(node.ok());
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::promise<void> reconciling;
  const auto blocking =
      dynamo::reconcile_with([&, released](std::span<const dynamo::Version> siblings) {
        reconciling.set_value();
        released.wait();
        return siblings.front().object;
      });
  const dynamo::Quorum one{.n = 2, .r = 1, .w = 1};
  const auto slow = node->open("carts", {.quorum = one, .reconciler = blocking});
  const auto quick = node->open("carts", {.quorum = one});
  REQUIRE(slow.ok());
  REQUIRE(slow->put("k", Context(), "tea").ok());
  REQUIRE(slow->put("k", Context(), "cake").ok());  // two siblings

  std::thread caller([&] { CHECK(slow->get("k").ok()); });
  reconciling.get_future().wait();
  for (int i = 0; i < 20; ++i) {
    CHECK(quick->put("other", Context(), "x").ok());
    CHECK(quick->get("k")->versions.size() == 2);
  }
  release.set_value();
  caller.join();
}

#include "testing/membership_watch.h"

#include <cmath>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "testing/broken_rule.h"

namespace dynamo::testing {

namespace {

constexpr std::size_t name_bytes_max = 255;
constexpr std::chrono::milliseconds tick_period{200};
constexpr int first_view_ticks = 300;  // a minute

absl::Status check_member(const Member& member) {
  if (member.name.empty() || member.name.size() > name_bytes_max) {
    return broken(fmt::format("the name of a member is {}, the limit is 1 to {} bytes",
                              quote(member.name), name_bytes_max));
  }
  if (member.address.empty()) {
    return broken(fmt::format("member {} has no address", quote(member.name)));
  }
  if (!std::isfinite(member.weight) || member.weight < 0) {
    return broken(fmt::format("member {} has weight {}", quote(member.name), member.weight));
  }
  return absl::OkStatus();
}

absl::Status check_members(const View& view, const Member& self) {
  std::set<std::string> names;
  const Member* own = nullptr;
  for (const Member& member : view.members) {
    if (absl::Status wrong = check_member(member); !wrong.ok()) return wrong;
    if (!names.insert(member.name).second) {
      return broken(fmt::format("member {} is there twice", quote(member.name)));
    }
    if (member.name == self.name) own = &member;
  }
  if (own == nullptr) return broken(fmt::format("this node, {}, is missing", quote(self.name)));
  if (own->identity != self.identity) {
    return broken(fmt::format("this node has identity {}, start() was given {}",
                              own->identity.to_string(), self.identity.to_string()));
  }
  for (const Move& move : view.moves) {
    for (const auto* side : {&move.from, &move.to}) {
      for (const std::string& owner : *side) {
        if (owner.empty() || names.contains(owner)) continue;
        return broken(fmt::format("partition {} moves between members, and {} is none",
                                  move.partition, quote(owner)));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

struct WatchedMembership::Shared {
  Member self{};
  std::mutex mutex{};
  std::condition_variable called{};
  std::string inside{};           // guarded, as all that follows: the method under way
  std::thread::id inside_here{};  // and its thread
  std::optional<View> before{};   // what views have to follow after a restart
  std::string wrong{};
  bool persist_fails = false;
  Log log{};

  // Under the lock.
  void note(const std::string& message) {
    if (wrong.empty()) wrong = message;
    called.notify_all();
  }
  void check_caller(std::string_view callback) {
    if (!inside.empty() && inside_here == std::this_thread::get_id()) return;
    note(fmt::format("it calls {}() from outside its methods", callback));
  }
};

WatchedMembership::WatchedMembership(std::unique_ptr<Membership> membership, Member self)
    : self_(std::move(self)),
      shared_(std::make_shared<Shared>()),
      membership_(std::move(membership)) {
  shared_->self = self_;
}

void WatchedMembership::call(std::string_view method, absl::FunctionRef<void()> body) {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->inside = std::string(method);
    shared_->inside_here = std::this_thread::get_id();
  }
  std::string thrown;
  try {
    body();
  } catch (const std::exception& error) {
    thrown = fmt::format("{}() threw: {}", method, error.what());
  } catch (...) {
    thrown = fmt::format("{}() threw", method);
  }
  const std::lock_guard lock(shared_->mutex);
  shared_->inside.clear();
  if (!thrown.empty()) shared_->note(thrown);
}

void WatchedMembership::check_view(const View& view, Shared& shared) {
  const std::optional<View> last =
      shared.log.views.empty() ? shared.before : std::optional<View>(shared.log.views.back());
  if (absl::Status found = check_members(view, shared.self); !found.ok()) {
    shared.note(fmt::format("in view {}: {}", view.number, std::string(found.message())));
  }
  if (view.cluster.is_zero()) shared.note(fmt::format("view {} has no cluster", view.number));
  if (view.number == 0) shared.note("a view has number 0");
  if (!last) return;
  if (view.cluster != last->cluster) {
    shared.note(
        fmt::format("view {} is of another cluster than view {}", view.number, last->number));
  }
  // After a restart the last view may be published again, since peers know it.
  const bool again = shared.log.views.empty() && view.number == last->number;
  if (view.number <= last->number && !again) {
    shared.note(fmt::format("view {} was published after view {}", view.number, last->number));
  }
}

Membership::Callbacks WatchedMembership::callbacks() {
  Membership::Callbacks callbacks;
  callbacks.publish = [shared = shared_](View view) {
    const std::lock_guard lock(shared->mutex);
    shared->check_caller("publish");
    check_view(view, *shared);
    shared->log.views.push_back(std::move(view));
  };
  callbacks.send = [shared = shared_](std::string_view, std::string payload) {
    const std::lock_guard lock(shared->mutex);
    shared->check_caller("send");
    if (shared->log.sent.size() < 100) shared->log.sent.push_back(std::move(payload));
  };
  callbacks.persist = [shared = shared_](std::string state) -> absl::Status {
    const std::lock_guard lock(shared->mutex);
    shared->check_caller("persist");
    if (!shared->wrong.empty()) return absl::InternalError("the check is over");
    if (shared->persist_fails) return absl::ResourceExhaustedError("the disk is full");
    shared->log.states.push_back(std::move(state));
    return absl::OkStatus();
  };
  return callbacks;
}

absl::Status WatchedMembership::start(const std::string& state, std::uint64_t seed) {
  absl::Status status;
  call("start", [&] { status = membership_->start(self_, state, seed, callbacks()); });
  return status;
}

absl::Status WatchedMembership::change(const Change& change) {
  absl::Status status;
  call("change", [&] { status = membership_->change(change); });
  return status;
}

void WatchedMembership::receive(const std::string& payload) {
  call("receive", [&] { membership_->receive(payload); });
}

void WatchedMembership::tick_after(std::chrono::milliseconds time) {
  now_ += time;
  call("tick", [&] { membership_->tick(now_); });
}

void WatchedMembership::tick() { tick_after(tick_period); }

void WatchedMembership::stop() {
  call("stop", [&] { membership_->stop(); });
}

bool WatchedMembership::reach_first_view() {
  for (int i = 0; i < first_view_ticks && log().views.empty() && ok(); ++i) tick();
  if (log().views.empty()) wrong("no view was published within a minute of ticks");
  return ok();
}

void WatchedMembership::expect_silence() {
  std::unique_lock lock(shared_->mutex);
  shared_->called.wait_for(lock, std::chrono::milliseconds(20),
                           [&] { return !shared_->wrong.empty(); });
}

void WatchedMembership::fail_persist() {
  const std::lock_guard lock(shared_->mutex);
  shared_->persist_fails = true;
}

void WatchedMembership::restarted_after(const WatchedMembership& before) {
  const Log old = before.log();
  const std::lock_guard lock(shared_->mutex);
  if (!old.views.empty()) shared_->before = old.views.back();
}

WatchedMembership::Log WatchedMembership::log() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->log;
}

void WatchedMembership::wrong(const std::string& message) {
  const std::lock_guard lock(shared_->mutex);
  shared_->note(message);
}

absl::Status WatchedMembership::status() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->wrong.empty() ? absl::OkStatus() : broken(shared_->wrong);
}

}  // namespace dynamo::testing

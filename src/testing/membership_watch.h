#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <dynamo/membership.h>

namespace dynamo::testing {

// A membership under test, called as a node does, and all that it calls back with. Remembers the
// first thing that was wrong; then nothing else matters.
//
// Thread safety: one thread at a time. The membership, if it is wrong, may call back from any.
class WatchedMembership {
 public:
  WatchedMembership(std::unique_ptr<Membership> membership, Member self);

  // With what persist() was last given before the restart, and the last view from then.
  absl::Status start(const std::string& state, std::uint64_t seed);
  absl::Status change(const Change& change);
  void receive(const std::string& payload);
  void tick();  // 200 ms later
  void tick_after(std::chrono::milliseconds time);
  void stop();

  // Ticks until there is a view, at most for a minute. False if there is none, or something wrong.
  bool reach_first_view();
  // Waits in real time for a thread of the membership that calls back on its own.
  void expect_silence();
  // From now on persist() fails.
  void fail_persist();
  // Views have to follow this one.
  void restarted_after(const WatchedMembership& before);

  struct Log {
    std::vector<View> views{};
    std::vector<std::string> states{};
    std::vector<std::string> sent{};
  };
  Log log() const;
  void wrong(const std::string& message);
  absl::Status status() const;
  bool ok() const { return status().ok(); }

 private:
  struct Shared;
  void call(std::string_view method, absl::FunctionRef<void()> body);
  Membership::Callbacks callbacks();
  static void check_view(const View& view, Shared& shared);

  const Member self_;
  // Shared with the callbacks: a membership that is wrong may call them when this is gone.
  const std::shared_ptr<Shared> shared_;
  const std::unique_ptr<Membership> membership_;
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
};

}  // namespace dynamo::testing

#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/transport.h>

#include "base/hash.h"

namespace dynamo::testing {

// Ends a rule from within: the transport did what it must not do.
struct RuleBroken {
  std::string message;
};

// What a check knows of the calls it makes: which one is under way, and since when. A call that
// does not return can not be ended, only left behind, with all that it uses.
//
// Thread safety: any thread.
class Watch {
 public:
  explicit Watch(std::chrono::milliseconds patience) : patience_(patience) {}

  // Runs `call`, which is code of the application. Throws RuleBroken for what it throws, and if the
  // check has given up meanwhile.
  void call(std::string what, absl::FunctionRef<void()> call);

  // Runs `rule` on a thread of its own until it is done, or a call() in it lasts too long.
  // `keep_alive` is what the rule uses, `give_up` is called before it is left behind.
  static absl::Status run(const std::shared_ptr<Watch>& watch, std::shared_ptr<void> keep_alive,
                          std::function<void()> rule, absl::FunctionRef<void()> give_up);

  std::chrono::milliseconds patience() const { return patience_; }

 private:
  using Clock = std::chrono::steady_clock;

  void run_rule(const std::function<void()>& rule);
  bool overdue() const;

  const std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string doing_;                   // guarded; empty between calls
  Clock::time_point since_{};           // guarded
  bool given_up_ = false;               // guarded
  std::optional<absl::Status> result_;  // guarded
};

// A transport under test, and what arrives at it.
//
// Thread safety: any thread, but for start() and stop().
class Station {
 public:
  Station(std::string name, std::unique_ptr<Transport> transport, Watch& watch);

  const std::string& name() const { return name_; }
  const std::string& address() const { return address_; }

  absl::Status try_start();
  void start();
  void send(std::string_view address, Lane lane, std::string packet);
  // For threads that the check does not wait for. What it throws is wrong, but thrown elsewhere.
  void send_unwatched(std::string_view address, Lane lane, std::string packet);
  // Nothing may arrive, or be arriving, from then on.
  void stop();

  // A packet is about to be sent here; one that nobody sent here must not arrive.
  void expect(std::string_view packet);
  bool await(std::string_view packet, std::chrono::milliseconds limit);
  // While held, `receive` does not return.
  void hold(bool held);
  // Called within `receive`. Set before start().
  void on_packet(std::function<void(const std::string& packet)> call) {
    on_packet_ = std::move(call);
  }
  // Throws what was wrong with anything that arrived.
  void throw_if_wrong() const;

 private:
  struct Arrivals;
  static void take(Arrivals& arrivals, const std::string& packet,
                   const std::function<void(const std::string&)>& on_packet);

  const std::string name_;
  Watch& watch_;
  std::function<void(const std::string&)> on_packet_;
  std::string address_;
  // Shared with `receive`: a transport that is wrong may call it when this is gone.
  const std::shared_ptr<Arrivals> arrivals_;
  const std::unique_ptr<Transport> transport_;
};

// Sends the packet again and again until it is there. Throws RuleBroken if it never is.
void deliver(Station& from, Station& to, Lane lane, const std::string& packet,
             std::chrono::milliseconds patience);

}  // namespace dynamo::testing

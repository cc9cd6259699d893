#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <fmt/format.h>
#include <asio/bind_executor.hpp>
#include <asio/execution.hpp>
#include <asio/system_executor.hpp>

#include "speed/child.h"
#include "speed/suites.h"
#include "speed/workload.h"

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

// Runs a handler where it is given to: what is refused is answered on the thread that has asked,
// and what is accepted on the node's. So no queue of the load's own is measured.
class AtOnce {
 public:
  template <class Function>
  void execute(Function function) const {
    function();
  }
  asio::execution_context& query(asio::execution::context_t) const {
    return asio::query(asio::system_executor(), asio::execution::context);
  }
  AtOnce require(asio::execution::blocking_t::never_t) const { return {}; }
  bool operator==(const AtOnce&) const noexcept { return true; }
};

// Puts that come at a rate, whether those before are done or not: an open loop, as the users of an
// application are.
//
// Thread safety: one caller; answers on any thread.
class OpenLoop {
 public:
  struct Result {
    std::vector<float> accepted_us{};
    std::vector<float> at_first_us{};  // accepted ones of the first second
    std::vector<float> refused_us{};
  };

  OpenLoop(dynamo::Store store, std::string object)
      : store_(std::move(store)), object_(std::move(object)) {}

  // Every put has a key of its own. Returns when all are answered.
  Result run(double per_second, double seconds) {
    const Clock::time_point began = began_ = Clock::now();
    std::uint64_t asked = 0;
    for (double at = 0; at < seconds;
         at = std::chrono::duration<double>(Clock::now() - began).count()) {
      for (const auto due = static_cast<std::uint64_t>(at * per_second); asked < due; ++asked)
        put();
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    while (in_flight_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(mutex_);
    return std::exchange(result_, {});
  }

  // Gives up if one of the puts that were acknowledged is not there.
  void check() const {
    for (std::uint64_t number = 0; number < last_; ++number) {
      if (!acknowledged_[number]) continue;
      const auto got = store_.get(name(number));
      if (!got.ok()) give_up(got.status().ToString());
      if (!got->found()) give_up(fmt::format("{} was acknowledged and is lost", name(number)));
    }
  }
  std::size_t acknowledged() const {
    return static_cast<std::size_t>(std::ranges::count(acknowledged_, true));
  }

 private:
  static std::string name(std::uint64_t number) { return fmt::format("put:{:011}", number); }

  void put() {
    const std::uint64_t number = last_++;
    ++in_flight_;
    store_.async_put(name(number), {}, object_,
                     asio::bind_executor(AtOnce(), [this, number, begun = Clock::now()](auto put) {
                       answered(number, begun, put.status());
                     }));
  }

  void answered(std::uint64_t number, Clock::time_point begun, const absl::Status& status) {
    const auto took =
        static_cast<float>(std::chrono::duration<double, std::micro>(Clock::now() - begun).count());
    const bool at_first = begun - began_ < std::chrono::seconds(1);
    if (!status.ok() && !absl::IsResourceExhausted(status)) give_up(status.ToString());
    {
      const std::lock_guard lock(mutex_);
      if (!status.ok()) result_.refused_us.push_back(took);
      if (status.ok()) (at_first ? result_.at_first_us : result_.accepted_us).push_back(took);
      if (acknowledged_.size() <= number) acknowledged_.resize(2 * number + 1);
      acknowledged_[number] = status.ok();
    }
    --in_flight_;
  }

  const dynamo::Store store_;
  const std::string object_;
  Clock::time_point began_{};
  std::uint64_t last_ = 0;
  std::atomic<int> in_flight_{0};
  std::mutex mutex_;
  Result result_;                   // guarded
  std::vector<bool> acknowledged_;  // guarded; by number
};

// A node with threads of its own, on all processors. Synced puts: ten times as many buffered ones
// are more than a processor can ask for.
class Overload final : public Suite {
 public:
  explicit Overload(const Setting& setting)
      : setting_(setting),
        names_(key_names(setting.scale.keys)),
        cluster_((pin(setting.all_processors), setting.program), setting.directory / "overload",
                 nullptr),
        store_(cluster_.store(dynamo::Durability::synced)),
        load_(store_, std::string(100, 'x')) {
    cluster_.fill(names_, std::string(100, 'x'));
  }
  ~Overload() override { pin({setting_.all_processors.back()}); }

  std::vector<Probe> probes() override {
    return {{"puts, normal", [this] { return normal_load(); }},
            {"puts, 10 times as many, accepted", [this] { return overload(); }},
            {"puts, 10 times as many, refused", [this] { return refused_; }},
            {"recovery", [this] { return recovery(); }}};
  }

  std::vector<Row> rows() const override {
    return {quotient("accepted puts in overload, p50", "normal", 3, 1.5, &Sample::p50_us,
                     "puts, 10 times as many, accepted", "puts, normal"),
            quotient("accepted puts in overload, p99", "normal", 3, 1.5, &Sample::p99_us,
                     "puts, 10 times as many, accepted", "puts, normal"),
            quotient("refused puts in overload, p99", "normal", 3, 1.5, &Sample::p99_us,
                     "puts, 10 times as many, refused", "puts, normal"),
            figure("recovery, seconds", 10, 1, &Sample::value, "recovery")};
  }

  bool in_order() const override { return true; }

 private:
  double duration() const { return setting_.scale.seconds * 100; }

  static Sample summary(std::vector<float> times, double seconds) {
    return {.p50_us = percentile(times, 0.5),
            .p99_us = percentile(times, 0.99),
            .p999_us = percentile(times, 0.999),
            .per_second = static_cast<double>(times.size()) / seconds};
  }

  // What the node can carry: a closed loop of 64. Its latencies are the normal ones, of as long a
  // time as the overload: in the first seconds no log is full yet.
  Sample normal_load() {
    asio::io_context io{1};
    Keys keys(names_.size(), 2);
    std::uint64_t number = 0;
    const dynamo::Store store = store_;
    normal_ =
        run_load(io, {.in_flight = 64, .seconds = duration()}, keys, cluster_.others(),
                 [&](std::uint64_t, std::function<void()> done) {
                   store.async_put(fmt::format("normal:{}", number++), {}, std::string(100, 'x'),
                                   asio::bind_executor(io, [done = std::move(done)](auto put) {
                                     if (!put.ok()) give_up(put.status().ToString());
                                     done();
                                   }));
                 });
    return normal_;
  }

  Sample overload() {
    const double seconds = 1 + duration();
    OpenLoop::Result result = load_.run(10 * normal_.per_second, seconds);
    ended_ = Clock::now();
    refused_ = summary(std::move(result.refused_us), seconds);
    fmt::print("in the first second the longest took {:.0f} ms\n",
               percentile(result.at_first_us, 1) / 1000);
    return summary(std::move(result.accepted_us), seconds);
  }

  // Until a tenth of a second goes by in which a half of the normal load is all accepted, in the
  // normal time; and then everything that was ever acknowledged is there.
  Sample recovery() {
    for (;;) {
      OpenLoop::Result result = load_.run(normal_.per_second / 2, 0.1);
      if (!result.refused_us.empty()) continue;
      if (percentile(result.at_first_us, 0.5) <= 1.5 * normal_.p50_us) break;
    }
    const double took = std::chrono::duration<double>(Clock::now() - ended_).count();
    load_.check();
    fmt::print("{} puts were acknowledged so far, and are there\n", load_.acknowledged());
    return {.value = took};
  }

  const Setting setting_;
  const std::vector<std::string> names_;
  Cluster cluster_;
  const dynamo::Store store_;
  OpenLoop load_;
  Sample normal_;
  Sample refused_;
  Clock::time_point ended_{};
};

}  // namespace

std::unique_ptr<Suite> overload_suite(const Setting& setting) {
  return std::make_unique<Overload>(setting);
}

}  // namespace bench

#include "runtime/asio_environment.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <asio/execution/outstanding_work.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/prefer.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>

#include "host/executor_target.h"
#include "host/host.h"
#include "host/steady_clock.h"
#include "node/strand.h"
#include "runtime/flusher.h"
#include "runtime/loop.h"
#include "runtime/named_thread.h"

namespace dynamo::runtime {

namespace {

using core::TimePoint;

// Those that this process may run on.
int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

// Work posted to an application's executor may run long after the node is gone, or never. It holds
// this, and this lets go of the host at stop().
class HostGate {
 public:
  // Of the turns of that desk. `loop`: that runs them, or null: the application does. Outlives
  // every turn.
  HostGate(int desk, const Loop* loop) : desk_(desk), loop_(loop) {}

  void open(host::Host& host) {
    const std::lock_guard lock(mutex_);
    host_ = &host;
  }
  // Returns once no turn runs, unless this is the thread that runs it.
  void close() {
    if (running_on_ == std::this_thread::get_id()) {
      host_ = nullptr;
      return;
    }
    const std::lock_guard lock(mutex_);
    host_ = nullptr;
  }
  // Returns false if there has to be another one soon.
  bool turn() {
    {
      const std::lock_guard lock(mutex_);
      run(false, false);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return !again_ || take_turns(false, false);
  }
  // For a thread that is going to wait, or has received or asked for something, now or `at_once`
  // (Host::turn). If another one is at it, that one takes one more turn: to wake a third for it
  // costs more than the turn. `lent`: the thread is the application's, whatever else it runs.
  // Returns false also if this one is at it.
  bool try_turn(bool at_once, bool lent = false) {
    if (runs_here() || host_ == nullptr) return false;
    again_ = true;
    return take_turns(at_once, lent);
  }
  bool runs_here() const { return running_on_ == std::this_thread::get_id(); }

 private:
  // Of others' turns, before they have to do without this thread.
  static constexpr int turns_max = 4;

  // Until nobody wants another, or another thread is at it: whoever says so before he finds the
  // mutex locked is seen by whoever unlocks it before he looks.
  bool take_turns(bool at_once, bool lent) {
    for (int i = 0; i < turns_max; ++i) {
      std::atomic_thread_fence(std::memory_order_seq_cst);
      {
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock()) return true;
        run(at_once, lent);
      }
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (!again_) return true;
    }
    return false;
  }
  // REQUIRES: mutex_ is held.
  void run(bool at_once, bool lent) {
    if (again_) again_ = false;
    running_on_ = std::this_thread::get_id();
    const bool foreign = lent || (loop_ != nullptr && !loop_->runs_here());
    const auto by = foreign ? host::Host::By::caller : host::Host::By::environment;
    if (host::Host* host = host_) host->turn(desk_, by, at_once);
    running_on_ = std::thread::id();
  }

  const int desk_;
  const Loop* const loop_;
  std::mutex mutex_;  // held during a turn, so that turns run one at a time
  std::atomic<bool> again_{false};
  std::atomic<std::thread::id> running_on_{};
  std::atomic<host::Host*> host_{nullptr};
};

// A thread for a stop, which ends by itself: with the last executor that tracks work on it.
class StopThread {
 public:
  StopThread()
      : context_(std::make_shared<asio::io_context>(1)),
        executor_(asio::prefer(asio::any_io_executor(context_->get_executor()),
                               asio::execution::outstanding_work.tracked)),
        thread_(named_thread("dyn-stop", [context = context_] { context->run(); })) {}
  ~StopThread() {
    executor_ = {};
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();  // it has stopped the node that nobody holds any more
    } else {
      thread_.join();
    }
  }

  asio::any_io_executor take_executor() { return std::exchange(executor_, {}); }

 private:
  const std::shared_ptr<asio::io_context> context_;  // shared with the thread, which may outlive us
  asio::any_io_executor executor_;
  std::thread thread_;
};

// What is behind an executor, found out once: each look compares the names of many types. Nothing,
// if its kind cannot tell.
class KnownContext {
 public:
  explicit KnownContext(const asio::any_io_executor& executor) {
    if (!executor) return;
    io_ = host::context_of<asio::io_context>(executor);
    pool_ = host::context_of<asio::thread_pool>(executor);
  }
  bool has_sockets() const { return io_ != nullptr; }
  // Whether this thread is running it.
  bool runs_here() const {
    if (io_ != nullptr) return io_->get_executor().running_in_this_thread();
    return pool_ != nullptr && pool_->get_executor().running_in_this_thread();
  }

 private:
  asio::io_context* io_ = nullptr;
  asio::thread_pool* pool_ = nullptr;
};

class Environment final : public AsioEnvironment {
 public:
  Environment(asio::any_io_executor executor, int loops)
      : given_(std::move(executor)), given_context_(given_) {
    const bool has_sockets = given_context_.has_sockets();
    for (int i = 0; i < loops && !has_sockets; ++i) {
      loops_.push_back(std::make_shared<Loop>(i == 0 ? "dyn-loop" : fmt::format("dyn-loop-{}", i)));
    }
    if (!given_) calls_ = std::make_shared<Loop>("dyn-call");
    // The common desk, if it is not the only one, has its turns on the first loop.
    for (int desk = 0; desk < core::Strand::count(loops); ++desk) {
      Loop* const loop = loops_.empty() ? nullptr : loop_of(desk).get();
      desks_.push_back({
          .turns = std::make_shared<Turns>(desk, given_ ? nullptr : loop,
                                           given_ ? given_ : loop->executor()),
          .timer = std::make_shared<Timer>(has_sockets ? given_ : loop->executor()),
      });
    }
  }
  ~Environment() override {
    stop();
    stop_handlers();
  }

  core::Now now() const override {
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    return {steady_now(), std::chrono::duration_cast<std::chrono::microseconds>(wall).count()};
  }
  core::TimePoint steady_now() const override { return host::steady_now(); }

  std::uint64_t random() override {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  }

  void start(host::Host& host) override {
    flusher_.emplace(host::steady_now, [&host] { host.flush(); });
    for (const Desk& desk : desks_) desk.turns->gate.open(host);
  }

  void stop() override {
    if (stopped_.exchange(true)) return;
    for (const Desk& desk : desks_) {
      desk.turns->gate.close();
      const std::lock_guard lock(desk.timer->mutex);
      desk.timer->armed = TimePoint::max();
      desk.timer->timer.cancel();
    }
    if (flusher_) flusher_->stop();
    for (const auto& loop : loops_) loop->stop();
  }

  void stop_handlers() override {
    {
      const std::lock_guard lock(late_mutex_);
      if (!calls_ || std::exchange(handlers_stopped_, true)) return;
    }
    if (!calls_->runs_here()) {
      host::Waiter drained;
      asio::post(calls_->executor(), [&drained] { drained.set(); });
      drained.wait();
    }
    calls_->stop();
    const std::lock_guard lock(late_mutex_);
    handlers_ended_ = true;
    if (late_wanted_) resume_calls();
  }

  void wake(int index) override { post_turn(desk(index).turns); }

  void wake_near(int index) override {
    for (const auto& loop : loops_) {
      if (!loop->runs_here()) continue;
      // If another thread is at it, that one takes one more.
      asio::post(loop->executor(), [turns = desk(index).turns] {
        if (!turns->gate.try_turn(false)) post_turn(turns);
      });
      return;
    }
    wake(index);
  }

  void wake_own_thread(int index) override {
    wake(index);
    if (!given_) loop_of(index)->come_back();
  }

  bool turn_at_once(int index, bool within_call) override {
    Turns& turns = *desk(index).turns;
    return turns.context.runs_here() && turns.gate.try_turn(true, within_call);
  }

  bool turn_here(int index) override { return !given_ && desk(index).turns->gate.try_turn(true); }

  void wake_at(int index, TimePoint at) override {
    const Desk& desk = this->desk(index);
    const std::lock_guard lock(desk.timer->mutex);
    // A timer that fires too early costs one idle turn, which asks again; one that is re-armed at
    // every turn costs a system call each.
    if (stopped_ || desk.timer->armed <= at) return;
    desk.timer->armed = at;
    desk.timer->timer.expires_at(std::chrono::steady_clock::time_point(at));
    desk.timer->timer.async_wait([turns = desk.turns, timer = desk.timer](asio::error_code error) {
      if (error) return;
      {
        const std::lock_guard timer_lock(timer->mutex);
        timer->armed = TimePoint::max();
      }
      post_turn(turns);
    });
  }

  void flush_at(TimePoint at) override {
    if (flusher_) flusher_->flush_at(at);
  }

  asio::any_io_executor executor() const override { return given_ ? given_ : calls_->executor(); }

  // Whoever still asks a stopped node gets its answer, and a thread only if somebody asks.
  void run_late_handlers() override {
    const std::lock_guard lock(late_mutex_);
    if (handlers_ended_) {
      resume_calls();
    } else {
      late_wanted_ = handlers_stopped_;
    }
  }
  std::vector<asio::any_io_executor> io_executors() const override {
    if (loops_.empty()) return {given_};
    std::vector<asio::any_io_executor> executors;
    for (const auto& loop : loops_) executors.push_back(loop->executor());
    return executors;
  }

  asio::any_io_executor stopping_executor() override {
    const std::lock_guard lock(late_mutex_);
    return stops_.emplace_back(std::make_unique<StopThread>())->take_executor();
  }

  absl::Status may_block() const override {
    const bool ours =
        std::ranges::any_of(loops_, [](const auto& loop) { return loop->runs_here(); }) ||
        (calls_ && calls_->runs_here()) ||
        std::ranges::any_of(desks_, [](const Desk& desk) { return desk.turns->gate.runs_here(); });
    if (!ours && !given_context_.runs_here()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "a blocking call on a thread that runs the node would wait for itself; use the async form "
        "here");
  }

  bool wait(host::Waiter& waiter, TimePoint until) override {
    const TimePoint began = steady_now();
    const bool quick = calls_are_quick_.load(std::memory_order_relaxed);
    const TimePoint spin_until = processors_ > 1 && quick ? began + spin_max : began;
    // With several loops nobody knows on which of them the answer comes.
    const bool drives = !given_ && loops_.size() == 1;
    const bool done = drives ? loops_.front()->wait(waiter, began, spin_until, until)
                             : spin_and_wait(waiter, spin_until, until);
    calls_are_quick_.store(steady_now() - began < spin_max, std::memory_order_relaxed);
    return done;
  }

 private:
  // To be woken takes longer than this, if another processor can do the work meanwhile.
  static constexpr TimePoint spin_max = std::chrono::microseconds(50);

  // REQUIRES: late_mutex_ is held.
  void resume_calls() {
    if (calls_ && !std::exchange(resumed_, true)) calls_->resume();
  }

  // Where the turns of one of the host's desks run. Shared with what is posted, which an
  // application's executor may hold when our loops are gone: so nothing of theirs is in it.
  struct Turns {
    Turns(int desk, const Loop* loop, asio::any_io_executor where)
        : executor(std::move(where)), context(executor), gate(desk, loop) {}

    const asio::any_io_executor executor;
    const KnownContext context;
    HostGate gate;
  };
  struct Timer {
    explicit Timer(const asio::any_io_executor& io) : timer(io) {}
    std::mutex mutex;
    asio::steady_timer timer;            // guarded
    TimePoint armed = TimePoint::max();  // guarded
  };
  struct Desk {
    std::shared_ptr<Turns> turns;
    std::shared_ptr<Timer> timer;  // shared with its own wait
  };
  static void post_turn(const std::shared_ptr<Turns>& turns) {
    asio::post(turns->executor, [turns] {
      if (!turns->gate.turn()) post_turn(turns);
    });
  }
  const Desk& desk(int index) const { return desks_[static_cast<std::size_t>(index)]; }
  const std::shared_ptr<Loop>& loop_of(int desk) const {
    const auto index = static_cast<std::size_t>(desk);
    return loops_[index < loops_.size() ? index : 0];
  }

  const asio::any_io_executor given_;
  const KnownContext given_context_;
  std::vector<std::shared_ptr<Loop>> loops_;
  std::shared_ptr<Loop> calls_;
  std::vector<Desk> desks_;
  std::optional<Flusher> flusher_;
  std::atomic<bool> stopped_{false};
  const int processors_ = usable_processors();
  std::atomic<bool> calls_are_quick_{true};  // the last one that blocked was
  mutable std::mutex late_mutex_;
  bool handlers_stopped_ = false;  // guarded by late_mutex_: stop_handlers() has begun
  bool handlers_ended_ = false;    // guarded by late_mutex_: and is over
  bool late_wanted_ = false;       // guarded by late_mutex_: somebody asked in between
  bool resumed_ = false;           // guarded by late_mutex_
  std::vector<std::unique_ptr<StopThread>> stops_;  // guarded by late_mutex_
};

}  // namespace

std::unique_ptr<AsioEnvironment> make_asio_environment(asio::any_io_executor executor, int loops) {
  return std::make_unique<Environment>(std::move(executor), loops);
}

}  // namespace dynamo::runtime

#include "runtime/loop.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <asio/post.hpp>

#include "host/steady_clock.h"
#include "runtime/named_thread.h"

namespace dynamo::runtime {

namespace {

using core::TimePoint;
using host::steady_now;

// So many calls in a row, each begun so soon after the one before, and nobody else's among them.
constexpr int calls_in_a_row = 8;
constexpr TimePoint gap_max = std::chrono::microseconds(50);
// How often the thread that has stepped aside looks whether it is needed.
constexpr TimePoint nap = std::chrono::microseconds(500);

}  // namespace

bool spin_and_wait(host::Waiter& waiter, TimePoint spin_until, TimePoint until) {
  while (!waiter.done() && steady_now() < spin_until) {
  }
  return waiter.wait_until(until);
}

struct Loop::State {
  asio::io_context context{1};      // one thread at a time
  std::mutex driving;               // held by whoever runs the context
  std::atomic<bool> ending{false};  // stop() has been called
  std::atomic<bool> wanted{false};  // a caller is to drive, or does
  std::atomic<bool> aside{false};   // the thread leaves the context to callers; it alone says so
  std::atomic<int> callers{0};      // that wait
  std::atomic<int> in_a_row{0};     // calls that came at once
  std::atomic<TimePoint> left{TimePoint{}};  // when the last caller did
  std::mutex napping;
  std::condition_variable awake;
  bool needed = false;              // guarded by napping: the thread is to come back
  std::atomic<bool> called{false};  // the same, for whoever drives

  void run();
  void step_aside();
};

// As io_context::run(), but that it lets others do so.
void Loop::State::run() {
  while (true) {
    {
      const std::lock_guard lock(driving);
      called = false;
      while (!wanted) {
        if (context.run_one() > 0) continue;
        // Stopped by stop(), or by whoever gave the last work back, which may be late: after
        // resume() has brought new work.
        if (!ending) context.restart();
        if (ending) return;
      }
    }
    step_aside();
  }
}

void Loop::State::step_aside() {
  std::unique_lock lock(napping);
  aside = true;
  while (!context.stopped()) {
    if (awake.wait_for(lock, nap, [this] { return needed; })) break;
    // Nobody drives, and nobody has only just stopped to.
    const std::unique_lock free(driving, std::try_to_lock);
    if (free.owns_lock() && steady_now() - left.load() > gap_max) break;
  }
  in_a_row = 0;
  aside = needed = called = false;
}

Loop::Loop(std::string name)
    : state_(std::make_shared<State>()),
      work_(std::make_unique<WorkGuard>(state_->context.get_executor())),
      name_(std::move(name)) {
  run();
}

Loop::~Loop() { stop(); }

asio::any_io_executor Loop::executor() { return state_->context.get_executor(); }

void Loop::run() {
  thread_ = named_thread(name_.c_str(), [state = state_] { state->run(); });
  thread_id_ = thread_.get_id();
}

void Loop::resume() {
  state_->ending = false;
  work_ = std::make_unique<WorkGuard>(state_->context.get_executor());
  run();
}

void Loop::stop() {
  state_->ending = true;
  work_.reset();
  if (!thread_.joinable()) return;
  if (runs_here()) {
    // The node is being destroyed by one of its own handlers. Those that wait behind it still
    // run, and then the thread ends by itself.
    thread_.detach();
    return;
  }
  state_->context.stop();
  come_back();  // from its nap
  thread_.join();
}

bool Loop::wait(host::Waiter& waiter, TimePoint now, TimePoint spin_until, TimePoint until) {
  if (waiter.done()) return true;  // a turn of its own has answered
  State& state = *state_;
  const bool alone = state.callers.fetch_add(1) == 0;
  const bool drives = may_drive(now, alone);
  if (drives) drive(waiter, spin_until, until);
  const bool done = spin_and_wait(waiter, spin_until, until);
  state.left = steady_now();
  // Others wait, and have nobody to drive for them.
  if (state.callers.fetch_sub(1) > 1 && drives) come_back();
  return done;
}

void Loop::come_back() {
  if (!state_->aside && !state_->wanted) return;
  {
    const std::lock_guard lock(state_->napping);
    state_->needed = state_->called = true;
  }
  state_->awake.notify_one();
}

bool Loop::may_drive(TimePoint now, bool alone) {
  State& state = *state_;
  const bool at_once = alone && now - state.left.load() < gap_max;
  const int in_a_row = at_once ? state.in_a_row.fetch_add(1) + 1 : 0;
  if (!at_once) state.in_a_row = 0;
  return alone && !state.called && (in_a_row >= calls_in_a_row || state.aside);
}

void Loop::drive(const host::Waiter& waiter, TimePoint spin_until, TimePoint until) {
  asio::io_context& context = state_->context;
  state_->wanted = true;
  std::unique_lock lock(state_->driving, std::try_to_lock);
  if (!lock.owns_lock()) {
    asio::post(context, [] {});  // the thread sleeps at the sockets
    lock.lock();
  }
  const auto drives_on = [&] { return !waiter.done() && !context.stopped() && !state_->called; };
  while (drives_on() && steady_now() < spin_until) context.poll_one();
  const auto end = std::chrono::steady_clock::time_point(until);
  while (drives_on() && context.run_one_until(end) > 0) {
  }
  state_->wanted = false;
}

}  // namespace dynamo::runtime

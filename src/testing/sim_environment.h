#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "host/environment.h"
#include "host/object_buffer.h"
#include "testing/sim_context.h"
#include "testing/sim_storage.h"

namespace dynamo::testing {

// The environment of one simulated node for one life of its process: all that happens to it is an
// event of the scheduler that it shares with the others.
//
// A flush is two events, the begin of a commit and its end, with the disk's time between them; the
// node goes on meanwhile, as it does in production, where a thread of its own waits for the disk.
//
// Thread safety: one thread.
class SimEnvironment final : public host::Environment {
 public:
  // The context is shared: stores may outlive the cluster, and with them their host and this. So is
  // the disk. Without one, commits take no time.
  SimEnvironment(std::shared_ptr<SimContext> context, std::uint64_t seed,
                 std::shared_ptr<SimStorage> storage = nullptr, std::int64_t drift_ppm = 0);

  core::Now now() const override;
  std::uint64_t random() override { return prng_.next(); }
  void start(host::Host& host) override { life_->host = &host; }
  // A commit that is under way ends at once.
  void stop() override;
  // The executor is the whole cluster's, and so not this node's to end.
  void stop_handlers() override {}
  void wake(int desk) override;
  void wake_at(int desk, core::TimePoint at) override;
  void flush_at(core::TimePoint at) override;
  asio::any_io_executor executor() const override;
  asio::any_io_executor stopping_executor() override { return executor(); }
  absl::Status may_block() const override;
  bool wait(host::Waiter& waiter, core::TimePoint until) override;

  // From now on the wall clock is that much ahead of the others'.
  void set_wall_offset(std::chrono::microseconds offset) { wall_offset_ = offset; }

  // What is due while the process is paused happens when it is resumed.
  void pause() { life_->paused = true; }
  void resume();

  // A commit has begun and not ended.
  bool is_committing() const { return !life_->committing.empty(); }
  // The process is killed: nothing happens to it any more. `batch_survives`: a batch that is being
  // written is on the disk nevertheless.
  void die(bool batch_survives);

 private:
  // Shared with the events that are under way.
  struct Life {
    host::Host* host = nullptr;  // null before start(), after stop() and die()
    bool paused = false;
    std::vector<std::function<void(host::Host&)>> held{};  // what came due meanwhile
    host::ObjectBuffer::Batch committing{};
  };

  // Schedules an event of this process, if it still lives by then; `at` is by its own clock.
  SimScheduler::Ticket schedule(core::TimePoint at, std::function<void(host::Host&)> event);
  static void run(const std::shared_ptr<Life>& life, std::function<void(host::Host&)> event);
  void begin_flush(host::Host& host);

  // By this process's clock, which may drift.
  core::TimePoint local(core::TimePoint at) const;
  // The first moment at which local() says `at`.
  core::TimePoint global(core::TimePoint at) const;

  const std::shared_ptr<SimContext> context_;
  const std::shared_ptr<SimStorage> storage_;
  const std::int64_t drift_ppm_;
  core::Prng prng_;
  const std::shared_ptr<Life> life_ = std::make_shared<Life>();
  std::chrono::microseconds wall_offset_{0};
  std::map<int, SimScheduler::Ticket> turns_;  // by desk
  SimScheduler::Ticket flush_{};
  core::TimePoint flush_at_{};  // of flush_, by this process's clock
};

}  // namespace dynamo::testing

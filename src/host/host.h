#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/node.h>

#include "base/process_generation.h"
#include "base/recycling_allocator.h"
#include "host/admission.h"
#include "host/environment.h"
#include "host/local_reads.h"
#include "host/object_buffer.h"
#include "host/statistics.h"
#include "node/machine.h"

namespace dynamo::host {

// A node at work: a Machine, its object buffer, and the parts that do its I/O. It belongs to the
// Node handle; stores share it and may outlive that.
//
// All that happens to the machine goes through one inbox and happens in a turn: everything that has
// come in is stepped, then at once the packets leave, and the answers. Turns run one at a time, on
// a thread of the environment. Nothing foreign (transport, membership, handlers, log) is called
// under the lock of the machine.
//
// In the child of a fork the node is dead: its threads are not there, and its mutexes may be locked
// for ever. Every call says so and touches nothing; the child's copy is never destroyed (trap H9).
//
// Thread safety: all methods from any thread.
class Host {
 public:
  struct Parts {
    std::unique_ptr<Environment> environment{};
    std::unique_ptr<Transport> transport{};
    std::unique_ptr<Membership> membership{};
    std::unique_ptr<StorageEngine> storage{};
    std::function<void(const LogRecord&)> log{};
    // Sees the writes and answers of each step before they are done, in the turn: it must not call
    // back. The simulator's; a real node has none.
    std::function<void(const core::Actions&)> observe{};
    // Of the batches that records of buffered stores are written in, as ObjectBuffer has it. The
    // simulator, whose stores are small, has small ones.
    std::size_t flush_part_bytes_min = ObjectBuffer::part_bytes_usual;
  };
  using GetDone = absl::AnyInvocable<void(absl::StatusOr<core::GetAnswer>)>;
  using PutDone = absl::AnyInvocable<void(absl::StatusOr<core::PutAnswer>)>;
  using WaitDone = absl::AnyInvocable<void(absl::Status)>;

  // As Node::start(), once options and parts are complete. All parts are required but `log`.
  static absl::StatusOr<std::shared_ptr<Host>> start(NodeOptions options, Parts parts);
  ~Host();

  absl::Status open_store(const core::StoreFacts& facts);

  // Who runs the turn that an operation begins in: a thread of the environment, or the caller's
  // own, which is going to wait for the answer, if nobody else is at it.
  enum class By { environment, caller };
  // Start an operation; its `request` field is filled in and returned, for cancel(). `done` is
  // called exactly once, in a turn or by stop(), possibly before this returns; it must be quick and
  // must not block.
  std::uint64_t get(core::ClientGet get, GetDone done, By by = By::environment);
  // The answer to a get with r = 1, found on the caller's thread; nullopt if get() has to be
  // called.
  std::optional<core::GetAnswer> get_here(const core::StoreFacts& store, std::string_view key);
  // A handler was given to executor() without a request: it gets its turn, too, if the node has
  // stopped meanwhile. To be called after that.
  void handler_given();
  std::uint64_t put(core::ClientPut put, PutDone done, By by = By::environment);
  std::uint64_t start_wait(core::ClientWait wait, WaitDone done);
  // Asks the membership; `done` gets what it says.
  std::uint64_t change(Change change, WaitDone done);
  bool can_stop() const;
  void cancel(std::uint64_t request);

  // Why nothing can be asked of this node: it has stopped, or is the parent's. OK otherwise.
  absl::Status usable() const;
  core::Now now() const { return parts_.environment->now(); }
  core::TimePoint steady_now() const { return parts_.environment->steady_now(); }
  asio::any_io_executor executor() const { return parts_.environment->executor(); }
  absl::Status may_block() const;
  bool wait(Waiter& waiter, core::TimePoint until) {
    return parts_.environment->wait(waiter, until);
  }

  const NodeOptions& options() const { return options_; }
  std::string address() const { return address_; }
  ClusterStatus status() const;
  Stats stats() const;
  RingView ring_view() const;
  // The n owners of the key, by name; empty before the first view and after stop().
  std::vector<std::string> owners(std::string_view key, int n) const;
  bool stopped() const { return stopped_.load(); }
  bool in_child() const { return generation_ != core::process_generation(); }
  // If a stop is under way elsewhere, returns when that is done; at once on a thread that must not
  // block, because the stop may wait for it.
  void stop();
  asio::any_io_executor stopping_executor() { return parts_.environment->stopping_executor(); }

  // For the environment. flush() is the three below in one: it blocks while the engine writes, and
  // returns whether there was something to write.
  // One turn at a time. What is foreign and not thread-safe (the membership, and the log, which
  // expects no thread of the application's) is left by a caller to the next turn of the
  // environment.
  void turn(By by = By::environment);
  bool flush();
  // Takes what is due to be written; empty if nothing is, a batch is out, or the engine has failed.
  // An environment that has no thread to block lets time pass between this and what follows; what
  // was begun must be ended before stop().
  ObjectBuffer::Batch begin_flush();
  absl::Status write(const ObjectBuffer::Batch& batch);
  void end_flush(const ObjectBuffer::Batch& batch, const absl::Status& written);

  // Shows the machine's state and its records as they are between two turns. For the simulator and
  // its checkers; `see` must not call back.
  void inspect(
      absl::FunctionRef<void(const core::NodeState&, const core::RecordReader&)> see) const;

 private:
  class Reader;
  struct Request {
    core::Event event;
    std::uint64_t number = 0;  // 0: no answer is wanted
    std::variant<std::monostate, GetDone, PutDone, WaitDone> done{};
    core::TimePoint since{};  // when it was asked for

    // Answers it without having run it.
    void end(const absl::Status& status);
  };
  // What a turn does once the machine is unlocked.
  struct Effects {
    core::Actions actions{};
    std::vector<std::pair<GetDone, absl::StatusOr<core::GetAnswer>>> gets{};
    std::vector<std::pair<PutDone, absl::StatusOr<core::PutAnswer>>> puts{};
    std::vector<std::pair<WaitDone, absl::Status>> waits{};
    bool membership_due = false;  // its tick

    void clear();
  };

  Host(NodeOptions options, Parts parts);
  absl::Status open_identity();
  absl::Status forget_copy(std::string_view stored);
  absl::Status restore_records();
  absl::Status start_membership();
  void changed(std::uint64_t request, const absl::Status& status);
  absl::Status adopt_cluster();
  absl::Status write_now(std::string_view key, std::string_view record);
  std::optional<std::string> read_now(std::string_view key, absl::Status& status);

  template <class Done>
  bool may_begin(Admission::Kind kind, std::string_view key, Done& done);
  enum class Place { first, last };  // in the inbox
  void post(Request request, Place place = Place::last, By by = By::environment);
  bool run_inbox(Effects& effects);
  void expect(std::size_t from);
  void apply(core::Actions& actions, Effects& effects);
  void complete(Effects& effects);
  void perform(Effects& effects, By by);
  void leave_behind(Effects& effects);
  void take_left(core::Actions& actions);
  void publish_view();
  void cancel_all(std::vector<Request> inbox);
  std::string refusal_note() const;
  void log(LogLevel level, std::string_view text) const;

  // Constant once start() has returned.
  const NodeOptions options_;
  const std::uint64_t generation_;  // of the process that started it
  Parts parts_;
  std::string address_;
  bool membership_started_ = false;
  ObjectBuffer buffer_;
  std::unique_ptr<core::RecordReader> reader_;
  std::unique_ptr<LocalReads> local_reads_;
  Statistics statistics_;
  Admission admission_;
  std::atomic<std::uint64_t> last_request_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<std::thread::id> stopping_on_{};
  Waiter stop_done_;

  std::mutex engine_mutex_;  // StorageEngine::write() takes one caller at a time

  std::mutex inbox_mutex_;
  std::vector<Request> inbox_;  // guarded by inbox_mutex_
  bool woken_ = false;          // guarded by inbox_mutex_: a turn is on its way

  mutable std::mutex machine_mutex_;
  core::NodeIdentity identity_;             // guarded by machine_mutex_
  std::unique_ptr<core::Machine> machine_;  // guarded by machine_mutex_
  template <class Done>
  struct Pending {
    Done done;
    core::TimePoint since{};
  };
  core::RecyclingMap<std::uint64_t, Pending<GetDone>> gets_;  // guarded by machine_mutex_
  core::RecyclingMap<std::uint64_t, Pending<PutDone>> puts_;  // guarded by machine_mutex_
  std::map<std::uint64_t, WaitDone> waits_;                   // guarded by machine_mutex_
  std::atomic<bool> flush_all_{false};                        // the next batch is everything
  core::TimePoint next_membership_tick_{};                    // guarded by machine_mutex_
  std::vector<std::string> membership_notes_;                 // guarded by machine_mutex_
  // What callers have left to the environment's turns; guarded by machine_mutex_.
  std::vector<std::string> membership_left_;
  std::vector<core::AskChange> changes_left_;
  std::vector<core::LogLine> log_left_;
  // Memory that one turn leaves to the next.
  std::vector<Request> taken_;  // guarded by machine_mutex_
  Effects effects_;             // of the one turn that runs
  // What local_reads_ has; guarded by machine_mutex_.
  std::shared_ptr<const core::LocalView> local_view_;

  std::atomic<bool> engine_failed_{false};
};

}  // namespace dynamo::host

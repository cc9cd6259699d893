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
#include "host/admission.h"
#include "host/desk.h"
#include "host/environment.h"
#include "host/local_reads.h"
#include "host/object_buffer.h"
#include "node/machine.h"
#include "node/strand_router.h"

namespace dynamo::host {

// A node at work: a Machine, its object buffer, and the parts that do its I/O. It belongs to the
// Node handle; stores share it and may outlive that.
//
// All that happens to the machine goes through an inbox and happens in a turn: everything that has
// come in is stepped, then at once the packets leave, and the answers. Turns run one at a time, on
// a thread of the environment. Nothing foreign (transport, membership, handlers, log) is called
// under the lock of the machine.
//
// With several loops there is a desk for each strand of the machine, with an inbox and turns of its
// own, and one for what is common, whose turns run while no others do (host/desk.h).
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
    // It is the library's own: what it has received may get a turn before it has returned from
    // `receive`, and what an application asks for before that call has returned. An application's
    // may hold a lock while it calls us, although it must not, or call the next node's from within
    // ours.
    bool transport_is_own = false;
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
  using GetDone = host::GetDone;
  using PutDone = host::PutDone;
  using WaitDone = host::WaitDone;

  // As Node::start(), once options and parts are complete. All parts are required but `log`.
  static absl::StatusOr<std::shared_ptr<Host>> start(NodeOptions options, Parts parts);
  ~Host();

  absl::Status open_store(const core::StoreFacts& facts);

  // Who runs the turn that something begins in: a thread of the environment; or the caller's own,
  // which is going to wait for the answer, if nobody else is at it; or the loop that has received
  // it, at once or a little later; or the loop on which a handler of the application's asks for it,
  // at once if nothing else is in flight, as it has been lately: then nothing could share a packet
  // with it.
  enum class By { environment, caller, receiver, handler };
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

  // For the environment. How many desks there are: one, or one for each loop and the common one,
  // which is the last.
  int desks() const { return static_cast<int>(desks_.size()); }
  // One turn at a time of each desk. What is foreign and not thread-safe (the membership, and the
  // log, which expects no thread of the application's) is left by a caller, and by other desks, to
  // the environment's next turn of the common one. `at_once`: for one event, without waiting for
  // what else may come in.
  void turn(int desk, By by = By::environment, bool at_once = false);
  // The three below in one: it blocks while the engine writes, and returns whether there was
  // something to write.
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
  Desk& desk(int index) const { return *desks_[static_cast<std::size_t>(index)]; }
  // The desk of what concerns the node as a whole; the only one if there is one loop.
  int common() const { return desks() - 1; }
  int desk_for(std::string_view key) const;
  // That has drawn the number, and knows who waits.
  int desk_of(std::uint64_t request) const;
  std::uint64_t next_request(int desk) {
    return ++last_request_ * core::Strand::numbers_apart + static_cast<std::uint64_t>(desk);
  }
  enum class Place { first, last };  // in the inbox
  void post(int desk, Request request, Place place = Place::last, By by = By::environment);
  // `wakes`: no turn of that desk is on its way.
  bool may_turn_at_once(Desk& desk, By by, bool wakes) const;
  void receive(std::string packet, std::string_view peer);
  void post_written(std::vector<std::uint64_t> writes);
  bool run_all(By by, bool at_once);
  bool run_strand(int index, bool at_once);
  bool take_inbox(Desk& own, bool at_once = false);
  void wait_for(Desk& own, Request& request, const core::Now& at);
  void expect(int index, std::size_t from);
  void apply(int index, Effects& effects);
  template <class Done>
  std::optional<Desk::Pending<Done>> answered(int index, Desk::Waiting<Done> Desk::*waiting,
                                              std::uint64_t request, core::TimePoint now);
  void leave_answers(Effects& effects);
  void complete(Effects& effects);
  void perform(int index, By by);
  void pass_on(Effects& effects);
  void wake_common_at(core::TimePoint at);
  void release_others();
  void leave_behind(Effects& effects);
  void take_left(core::Actions& actions);
  void publish_view();
  void cancel(std::vector<Request> requests) const;
  void cancel_pending();
  absl::Status stopped_meanwhile() const;
  std::string refusal_note() const;
  void log(LogLevel level, std::string_view text) const;

  // Constant once start() has returned.
  const NodeOptions options_;
  const std::uint64_t generation_;  // of the process that started it
  Parts parts_;
  std::string address_;
  bool membership_started_ = false;
  ReadSections sections_;
  ObjectBuffer buffer_;
  std::unique_ptr<core::RecordReader> reader_;
  std::unique_ptr<core::RecordReader> section_reader_;  // local_reads_'
  std::unique_ptr<LocalReads> local_reads_;
  Admission admission_;
  std::atomic<std::uint64_t> last_request_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<std::thread::id> stopping_on_{};
  Waiter stop_done_;

  std::mutex engine_mutex_;  // StorageEngine::write() takes one caller at a time

  const std::vector<std::unique_ptr<Desk>> desks_;
  // How to hand out what comes in; null before the first view, and if there is one desk.
  std::atomic<const core::StrandRouter*> router_{nullptr};
  std::unique_ptr<const core::StrandRouter> router_owned_;  // guarded by the common desk's mutex
  // The common desk has to have its turn before any other goes on. Changed while all are locked.
  std::atomic<bool> others_wait_{false};
  // When that desk is to be woken, as far as was asked for.
  std::atomic<core::TimePoint> common_wake_{core::TimePoint::max()};

  // Guarded by the common desk's mutex, and so is what follows.
  core::NodeIdentity identity_;
  // Changed in turns of the common desk, but for what strands have for themselves.
  std::unique_ptr<core::Machine> machine_;
  std::map<std::uint64_t, WaitDone> waits_;
  core::TimePoint next_membership_tick_{};
  std::vector<std::string> membership_notes_;
  // What other turns have left to the environment's of the common desk.
  std::vector<std::string> membership_left_;
  std::vector<core::AskChange> changes_left_;
  std::vector<core::LogLine> log_left_;
  std::shared_ptr<const core::LocalView> local_view_;  // what local_reads_ has

  std::atomic<bool> flush_all_{false};  // the next batch is everything
  std::atomic<bool> engine_failed_{false};
};

}  // namespace dynamo::host

#include "host/host.h"

#include <utility>

#include <fmt/format.h>

#include "host/scan.h"
#include "node/cluster_status.h"

namespace dynamo::host {

namespace {

constexpr auto membership_period = std::chrono::milliseconds(200);
constexpr auto retry_period = std::chrono::milliseconds(100);

}  // namespace

// The object buffer first, and only then the engine: a record leaves the buffer after it has
// reached the engine.
class Host::Reader final : public core::RecordReader {
 public:
  explicit Reader(const Host& host) : host_(host) {}

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) const override {
    if (const ObjectBuffer::Content record = host_.buffer_.find(key)) {
      if (*record) visit(**record);
      return record->has_value();
    }
    return host_.parts_.storage->read(key, visit);
  }

  absl::StatusOr<std::string> scan(
      std::string_view from, std::size_t limit,
      absl::FunctionRef<void(std::string_view, std::string_view)> visit) const override {
    return scan_merged(host_.buffer_, *host_.parts_.storage, from, limit, visit);
  }

  std::string full() const override {
    // What is acknowledged from memory now would not be on disk within the flush interval.
    if (std::string refusal = host_.refusal_note(); !refusal.empty()) return refusal;
    const std::size_t bytes = host_.buffer_.bytes();
    if (bytes <= host_.options_.buffer_bytes_max) return {};
    return fmt::format("{} bytes wait for the disk, buffer_bytes_max is {}", bytes,
                       host_.options_.buffer_bytes_max);
  }

 private:
  const Host& host_;
};

Host::Host(NodeOptions options, Parts parts)
    : options_(std::move(options)),
      generation_(core::process_generation()),
      parts_(std::move(parts)),
      // The other half is for the commit, and for the one it may have to wait for.
      buffer_(options_.flush_interval / 2),
      reader_(std::make_unique<Reader>(*this)) {}

Host::~Host() { stop(); }

absl::Status Host::usable() const {
  if (in_child()) {
    return absl::FailedPreconditionError(
        fmt::format("node \"{}\" belongs to the parent process: a child of fork must start a node "
                    "of its own, on another data directory",
                    options_.name));
  }
  if (!stopped()) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("node \"{}\" has stopped", options_.name));
}

absl::Status Host::open_store(const core::StoreFacts& facts) {
  if (absl::Status status = usable(); !status.ok()) return status;
  Effects effects;
  absl::Status status;
  {
    const std::lock_guard lock(machine_mutex_);
    status = machine_->open_store(facts, effects.actions);
    apply(effects.actions, effects);
  }
  // Its messages leave with the next turn: what a turn performs belongs on the turns' thread.
  parts_.environment->wake();
  return status;
}

std::uint64_t Host::get(core::ClientGet get, GetDone done) {
  const std::uint64_t number = ++last_request_;
  get.request = number;
  post({.event = std::move(get), .number = number, .done = std::move(done), .since = now().steady});
  return number;
}

std::uint64_t Host::put(core::ClientPut put, PutDone done) {
  const std::uint64_t number = ++last_request_;
  put.request = number;
  post({.event = std::move(put), .number = number, .done = std::move(done), .since = now().steady});
  return number;
}

std::uint64_t Host::converge(core::ClientConverge converge, ConvergeDone done) {
  const std::uint64_t number = ++last_request_;
  converge.request = number;
  post({.event = converge, .number = number, .done = std::move(done)});
  return number;
}

void Host::cancel(std::uint64_t request) { post({.event = core::Cancel{request}}); }

absl::Status Host::may_block() const {
  return in_child() ? usable() : parts_.environment->may_block();
}

ClusterStatus Host::status() const {
  if (in_child()) {
    return {.cluster = options_.cluster, .notes = {std::string(usable().message())}};
  }
  const std::lock_guard lock(machine_mutex_);
  ClusterStatus status = core::cluster_status(machine_->state(), now());
  if (std::string refusal = refusal_note(); !refusal.empty()) {
    status.notes.push_back(std::move(refusal));
  }
  if (stopped()) status.notes.push_back("the node has stopped");
  return status;
}

RingView Host::ring_view() const {
  if (in_child()) return {};
  const std::lock_guard lock(machine_mutex_);
  const core::NodeState& state = machine_->state();
  return state.ring == nullptr ? RingView{} : state.ring->ring_view(state.largest_n());
}

std::vector<std::string> Host::owners(std::string_view key, int n) const {
  if (in_child()) return {};
  const std::lock_guard lock(machine_mutex_);
  const core::NodeState& state = machine_->state();
  if (stopped() || state.ring == nullptr) return {};
  return state.owners(key, n);
}

void Host::inspect(
    absl::FunctionRef<void(const core::NodeState&, const core::RecordReader&)> see) const {
  const std::lock_guard lock(machine_mutex_);
  see(machine_->state(), *reader_);
}

void Host::post(Request request, Place place) {
  bool wake = false;
  bool refused = in_child();
  if (!refused) {
    const std::lock_guard lock(inbox_mutex_);
    refused = stopped();
    if (!refused) {
      inbox_.insert(place == Place::first ? inbox_.begin() : inbox_.end(), std::move(request));
      wake = !std::exchange(woken_, true);
    }
  }
  if (wake) parts_.environment->wake();
  if (!refused) return;
  const absl::Status status = usable();
  request.end(status);
  if (!in_child()) parts_.environment->run_late_handlers();
}

void Host::Request::end(const absl::Status& status) {
  if (auto* get = std::get_if<GetDone>(&done)) (*get)(status);
  if (auto* put = std::get_if<PutDone>(&done)) (*put)(status);
  if (auto* converge = std::get_if<ConvergeDone>(&done)) (*converge)(status);
}

void Host::turn() {
  Effects effects;
  // Once only: what comes in meanwhile wakes us again, after the sockets have had their turn.
  if (run_inbox(effects)) perform(effects);
}

bool Host::run_inbox(Effects& effects) {
  const std::lock_guard lock(machine_mutex_);
  std::deque<Request> inbox;
  {
    const std::lock_guard inbox_lock(inbox_mutex_);
    inbox.swap(inbox_);
    woken_ = false;
  }
  if (stopped()) {
    cancel_all(std::move(inbox));
    return false;
  }
  const core::Now at = now();
  for (Request& request : inbox) {
    if (auto* get = std::get_if<GetDone>(&request.done)) {
      gets_.emplace(request.number, Pending<GetDone>{std::move(*get), request.since});
    }
    if (auto* put = std::get_if<PutDone>(&request.done)) {
      puts_.emplace(request.number, Pending<PutDone>{std::move(*put), request.since});
    }
    if (auto* converge = std::get_if<ConvergeDone>(&request.done)) {
      converges_.emplace(request.number, std::move(*converge));
    }
    machine_->step(at, std::move(request.event), *reader_, effects.actions);
    apply(effects.actions, effects);
  }
  const bool due = machine_->next_tick() <= at.steady;
  if (due) {
    machine_->step(at, core::Tick{}, *reader_, effects.actions);
    apply(effects.actions, effects);
  }
  machine_->end_turn(at, effects.actions);
  parts_.environment->wake_at(std::min(machine_->next_tick(), next_membership_tick_));
  return !inbox.empty() || due || at.steady >= next_membership_tick_ ||
         !effects.actions.packets.empty();
}

void Host::apply(core::Actions& actions, Effects& effects) {
  if (parts_.observe) parts_.observe(actions);
  if (!actions.writes.empty()) {
    const core::TimePoint at = now().steady;
    for (core::WriteRecord& write : actions.writes) buffer_.put(std::move(write), at);
    actions.writes.clear();
    parts_.environment->flush_at(buffer_.due());
  }
  for (core::CompleteGet& get : actions.gets) {
    const auto done = gets_.find(get.request);
    if (done == gets_.end()) continue;
    statistics_.get_finished(now().steady - done->second.since, get.answer.ok(),
                             get.answer.ok() ? get.answer->versions.size() : 0);
    effects.completions.push_back(
        [done = std::move(done->second.done), answer = std::move(get.answer)]() mutable {
          done(std::move(answer));
        });
    gets_.erase(done);
  }
  for (core::CompletePut& put : actions.puts) {
    const auto done = puts_.find(put.request);
    if (done == puts_.end()) continue;
    statistics_.put_finished(now().steady - done->second.since, put.answer.ok());
    effects.completions.push_back(
        [done = std::move(done->second.done), answer = std::move(put.answer)]() mutable {
          done(std::move(answer));
        });
    puts_.erase(done);
  }
  for (core::CompleteConverge& converge : actions.converges) {
    const auto done = converges_.find(converge.request);
    if (done == converges_.end()) continue;
    effects.completions.push_back(
        [done = std::move(done->second), status = std::move(converge.status)]() mutable {
          done(std::move(status));
        });
    converges_.erase(done);
  }
  actions.gets.clear();
  actions.puts.clear();
  actions.converges.clear();
}

void Host::perform(Effects& effects) {
  for (core::SendPacket& packet : effects.actions.packets) {
    parts_.transport->send(packet.address, packet.lane, std::move(packet.packet));
  }
  for (auto& completion : effects.completions) completion();
  for (const core::LogLine& line : effects.actions.log) log(line.level, line.text);
  if (stopped()) return;
  for (std::string& payload : effects.actions.membership)
    parts_.membership->receive(std::move(payload));
  const core::TimePoint at = now().steady;
  bool tick = false;
  {
    const std::lock_guard lock(machine_mutex_);
    tick = at >= next_membership_tick_;
    if (tick) next_membership_tick_ = at + membership_period;
  }
  if (tick) parts_.membership->tick(std::chrono::steady_clock::time_point(at));
}

void Host::flush() {
  const ObjectBuffer::Batch batch = begin_flush();
  if (!batch.empty()) end_flush(batch, write(batch));
}

ObjectBuffer::Batch Host::begin_flush() {
  if (engine_failed_) return {};
  ObjectBuffer::Batch batch = buffer_.take(now().steady, stopped());
  if (batch.empty()) parts_.environment->flush_at(buffer_.due());
  return batch;
}

absl::Status Host::write(const ObjectBuffer::Batch& batch) {
  std::vector<StorageEngine::Write> writes;
  writes.reserve(batch.size());
  for (const ObjectBuffer::Item& item : batch) writes.push_back({item.key, *item.record});
  const std::lock_guard lock(engine_mutex_);
  return parts_.storage->write(writes);
}

void Host::end_flush(const ObjectBuffer::Batch& batch, const absl::Status& written) {
  if (written.ok()) {
    post({.event = core::BatchWritten{buffer_.written(batch)}});
  } else {
    if (absl::IsDataLoss(written)) engine_failed_ = true;
    // No request may find the lost records gone before the machine has heard of it: it would
    // write on under the name that the lost dots were given by (trap A2).
    const std::lock_guard lock(machine_mutex_);
    std::vector<std::uint64_t> lost =
        engine_failed_
            ? buffer_.abandoned()
            : buffer_.failed(batch, now().steady + retry_period, std::string(written.message()));
    // A copy that shares nothing: the count of those who share a status is in Abseil's library,
    // where the thread sanitizer does not see it.
    absl::Status reason(written.code(), written.message());
    post({.event = core::WriteFailed{std::move(lost), std::move(reason)}}, Place::first);
  }
  if (!engine_failed_) parts_.environment->flush_at(buffer_.due());
}

void Host::cancel_all(std::deque<Request> inbox) {
  const absl::Status status = absl::CancelledError(fmt::format(
      "node \"{}\" stopped; the operation may or may not have happened", options_.name));
  for (Request& request : inbox) request.end(status);
  for (auto& [number, pending] : std::exchange(gets_, {})) pending.done(status);
  for (auto& [number, pending] : std::exchange(puts_, {})) pending.done(status);
  for (auto& [number, done] : std::exchange(converges_, {})) done(status);
}

void Host::stop() {
  if (in_child()) return;
  std::deque<Request> inbox;
  bool elsewhere = false;
  {
    const std::lock_guard lock(inbox_mutex_);
    elsewhere = stopped_.exchange(true);
    if (!elsewhere) {
      stopping_on_ = std::this_thread::get_id();
      inbox.swap(inbox_);
    }
  }
  if (elsewhere) {
    const bool here = stopping_on_ == std::this_thread::get_id();  // the log has called back
    if (!here && !stop_done_.done() && may_block().ok()) stop_done_.wait();
    return;
  }
  parts_.transport->stop();
  parts_.environment->stop();
  if (membership_started_) parts_.membership->stop();
  {
    const std::lock_guard lock(machine_mutex_);
    cancel_all(std::move(inbox));
  }
  // What was acknowledged from memory is synced before the directory is let go.
  flush();
  if (buffer_.bytes() > 0)
    log(LogLevel::error, "records in the object buffer could not be written");
  parts_.storage.reset();
  parts_.environment->stop_handlers();
  stop_done_.set();
}

std::string Host::refusal_note() const {
  if (engine_failed_) return {};  // the node is out of service, and says so itself
  const std::string refusal = buffer_.refusal();
  if (refusal.empty()) return {};
  return fmt::format("acknowledged writes wait for a disk that takes none: {}", refusal);
}

void Host::log(LogLevel level, std::string_view text) const {
  if (parts_.log) parts_.log({.level = level, .text = text});
}

}  // namespace dynamo::host

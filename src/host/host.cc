#include "host/host.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "host/every_desk.h"
#include "host/scan.h"
#include "node/cluster_status.h"
#include "node/engine_keys.h"

namespace dynamo::host {

namespace {

// Of handlers that ask for one thing at a time. Whoever asks for many at once begins with one, too,
// and what is divided into packets once stays so: its answers come apart, and what they lead to.
constexpr int alone_often = 4;

constexpr auto retry_period = std::chrono::milliseconds(100);

std::vector<std::unique_ptr<Desk>> make_desks(int loops) {
  std::vector<std::unique_ptr<Desk>> desks;
  for (int i = 0; i < core::Strand::count(loops); ++i) desks.push_back(std::make_unique<Desk>());
  return desks;
}

}  // namespace

// The object buffer first, and only then the engine: a record leaves the buffer after it has
// reached the engine. What the engine said is kept, if it may be (RecordTable).
class Host::Reader final : public core::RecordReader {
 public:
  // `in_section`: it is asked within read sections only.
  Reader(Host& host, bool in_section) : host_(host), in_section_(in_section) {}

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) const override {
    const std::uint64_t hash = RecordTable::hash_of(key);
    if (in_section_) {
      const RecordTable::Found seen = host_.buffer_.look(hash, key, visit);
      if (seen != RecordTable::Found::nothing) return seen == RecordTable::Found::record;
    }
    const RecordTable::Answer known = host_.buffer_.read(hash, key, visit);
    if (known.found != RecordTable::Found::nothing) {
      return known.found == RecordTable::Found::record;
    }
    const absl::StatusOr<bool> found =
        host_.parts_.storage->read(key, [&](std::string_view record) {
          visit(record);
          host_.buffer_.keep(hash, key, record, known.stamp);
        });
    if (!in_section_) host_.buffer_.tidy();
    return found;
  }

  absl::StatusOr<std::string> scan(
      std::string_view from, std::size_t limit,
      absl::FunctionRef<void(std::string_view, std::string_view)> visit) const override {
    return scan_merged(host_.buffer_, *host_.parts_.storage, from, limit, visit);
  }

  void expect(std::span<const core::ObjectKeyBytes> keys) const override {
    if (keys.size() < 2) return;  // by itself one can only be waited for
    host_.buffer_.prefetch(keys);
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
  Host& host_;
  const bool in_section_;
};

Host::Host(NodeOptions options, Parts parts)
    : options_(std::move(options)),
      generation_(core::process_generation()),
      parts_(std::move(parts)),
      // The other half is for the commit, and for the one it may have to wait for.
      buffer_(options_.flush_interval / 2, options_.record_cache_bytes, parts_.flush_part_bytes_min,
              &sections_),
      reader_(std::make_unique<Reader>(*this, false)),
      section_reader_(std::make_unique<Reader>(*this, true)),
      local_reads_(std::make_unique<LocalReads>(*section_reader_, *parts_.environment, sections_)),
      admission_(options_.requests_max, options_.threads > 1),
      desks_(make_desks(options_.threads)) {}

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
    const EveryDesk lock(desks_);
    status = machine_->open_store(facts, effects.actions);
    apply(common(), effects);
    publish_view();
  }
  // Its messages leave with the next turn: what a turn performs belongs on the turns' thread.
  parts_.environment->wake(common());
  return status;
}

template <class Done>
bool Host::may_begin(Admission::Kind kind, std::string_view key, Done& done) {
  if (in_child() || stopped()) return true;  // which is said further on
  absl::Status admitted = admission_.admit(kind, key);
  if (admitted.ok()) return true;
  done(std::move(admitted));
  return false;
}

std::uint64_t Host::get(core::ClientGet get, GetDone done, By by) {
  const int desk = desk_for(get.key);
  const std::uint64_t number = next_request(desk);
  if (!may_begin(Admission::Kind::get, get.key, done)) return number;
  get.request = number;
  const core::TimePoint since = get.asked;
  post(desk, {.event = std::move(get), .number = number, .done = std::move(done), .since = since},
       Place::last, by);
  return number;
}

std::optional<core::GetAnswer> Host::get_here(const core::StoreFacts& store, std::string_view key) {
  if (in_child() || stopped()) return std::nullopt;
  std::optional<core::GetAnswer> answer = local_reads_->get(store, key);
  buffer_.tidy();
  return answer;
}

void Host::handler_given() {
  if (!in_child() && stopped()) parts_.environment->run_late_handlers();
}

std::uint64_t Host::put(core::ClientPut put, PutDone done, By by) {
  const int desk = desk_for(put.key);
  const std::uint64_t number = next_request(desk);
  if (!may_begin(Admission::Kind::put, put.key, done)) return number;
  put.request = number;
  const core::TimePoint since = put.asked;
  post(desk, {.event = std::move(put), .number = number, .done = std::move(done), .since = since},
       Place::last, by);
  return number;
}

std::uint64_t Host::start_wait(core::ClientWait wait, WaitDone done) {
  const std::uint64_t number = next_request(common());
  wait.request = number;
  post(common(), {.event = wait, .number = number, .done = std::move(done)});
  return number;
}

void Host::cancel(std::uint64_t request) {
  post(desk_of(request), {.event = core::Cancel{request}});
}

absl::Status Host::may_block() const {
  return in_child() ? usable() : parts_.environment->may_block();
}

ClusterStatus Host::status() const {
  if (in_child()) {
    return {.cluster = options_.cluster, .notes = {std::string(usable().message())}};
  }
  const EveryDesk lock(desks_);
  ClusterStatus status = core::cluster_status(machine_->state(), now());
  if (std::string refusal = refusal_note(); !refusal.empty()) {
    status.notes.push_back(std::move(refusal));
  }
  status.notes.insert(status.notes.end(), membership_notes_.begin(), membership_notes_.end());
  if (stopped()) status.notes.push_back("the node has stopped");
  return status;
}

Stats Host::stats() const {
  if (in_child()) return {};
  Counts counts;
  for (const auto& desk : desks_) desk->statistics.add_to(counts);
  local_reads_->add_to(counts);
  admission_.add_to(counts);
  return counts.summary();
}

RingView Host::ring_view() const {
  if (in_child()) return {};
  const std::lock_guard lock(desk(common()).mutex);
  const core::NodeState& state = machine_->state();
  return state.ring == nullptr ? RingView{} : state.ring->ring_view(state.largest_n());
}

std::vector<std::string> Host::owners(std::string_view key, int n) const {
  if (in_child()) return {};
  const std::lock_guard lock(desk(common()).mutex);
  const core::NodeState& state = machine_->state();
  if (stopped() || state.ring == nullptr) return {};
  const core::OwnerSides sides = state.owner_sides(key, n);
  const core::NodeNames& owners = sides.current.empty() ? sides.pending : sides.current;
  return {owners.begin(), owners.end()};
}

void Host::inspect(
    absl::FunctionRef<void(const core::NodeState&, const core::RecordReader&)> see) const {
  const EveryDesk lock(desks_);
  see(machine_->state(), *reader_);
}

// REQUIRES: its inbox_mutex is held.
bool Host::may_turn_at_once(Desk& desk, By by, bool wakes) const {
  if (by == By::handler) {
    desk.alone_in_a_row = admission_.alone() ? std::min(desk.alone_in_a_row + 1, alone_often) : 0;
    return wakes && desk.alone_in_a_row == alone_often;
  }
  if (!wakes || by != By::receiver || desk.at_once_left == 0) return false;
  --desk.at_once_left;
  return true;
}

void Host::post(int index, Request request, Place place, By by) {
  bool wake = false;
  bool at_once = false;
  bool refused = in_child();
  if (!refused) {
    Desk& to = desk(index);
    const std::lock_guard lock(to.inbox_mutex);
    refused = stopped();
    if (!refused) {
      to.inbox.insert(place == Place::first ? to.inbox.begin() : to.inbox.end(),
                      std::move(request));
      wake = !std::exchange(to.woken, true);
      at_once = parts_.transport_is_own && may_turn_at_once(to, by, wake);
    }
  }
  if (at_once && parts_.environment->turn_at_once(index, by == By::handler)) return;
  if (wake && by == By::receiver) {
    parts_.environment->wake_near(index);
  } else if (wake && !(by == By::caller && parts_.environment->turn_here(index))) {
    parts_.environment->wake(index);
  }
  if (!refused) return;
  const absl::Status status = usable();
  request.end(status);
  handler_given();
}

std::uint64_t Host::change(Change change, WaitDone done) {
  const std::uint64_t number = next_request(common());
  post(common(), {.event = core::ClientChange{number, std::move(change)},
                  .number = number,
                  .done = std::move(done)});
  return number;
}

bool Host::can_stop() const {
  if (in_child() || stopped()) return true;
  const EveryDesk lock(desks_);
  return core::can_stop(machine_->state());
}

bool Host::flush() {
  const ObjectBuffer::Batch batch = begin_flush();
  if (batch.empty()) return false;
  end_flush(batch, write(batch));
  return true;
}

ObjectBuffer::Batch Host::begin_flush() {
  if (engine_failed_) return {};
  const bool all = flush_all_.exchange(false);
  ObjectBuffer::Batch batch = buffer_.take(now().steady, all);
  if (batch.empty()) {
    if (all) flush_all_ = true;
    parts_.environment->flush_at(buffer_.due());
  }
  return batch;
}

absl::Status Host::write(const ObjectBuffer::Batch& batch) {
  std::vector<StorageEngine::Write> writes;
  writes.reserve(batch.size());
  for (const ObjectBuffer::Item& item : batch)
    writes.push_back({item.key(), item.content.record()});
  const std::lock_guard lock(engine_mutex_);
  return parts_.storage->write(writes);
}

void Host::end_flush(const ObjectBuffer::Batch& batch, const absl::Status& written) {
  if (written.ok()) {
    post_written(buffer_.written(batch));
  } else {
    if (absl::IsDataLoss(written)) engine_failed_ = true;
    // No request may find the lost records gone before the machine has heard of it: it would
    // write on under the name that the lost dots were given by (trap A2).
    const EveryDesk lock(desks_);
    std::vector<std::uint64_t> lost =
        engine_failed_
            ? buffer_.abandoned()
            : buffer_.failed(batch, now().steady + retry_period, std::string(written.message()));
    // A copy that shares nothing: the count of those who share a status is in Abseil's library,
    // where the thread sanitizer does not see it.
    absl::Status reason(written.code(), written.message());
    others_wait_ = common() > 0;
    post(common(), {.event = core::WriteFailed{std::move(lost), std::move(reason)}}, Place::first);
  }
  if (!engine_failed_) parts_.environment->flush_at(buffer_.due());
}

void Host::cancel(std::vector<Request> requests) const {
  for (Request& request : requests) request.end(stopped_meanwhile());
}

absl::Status Host::stopped_meanwhile() const {
  return absl::CancelledError(fmt::format(
      "node \"{}\" stopped; the operation may or may not have happened", options_.name));
}

// REQUIRES: every desk's mutex is held.
void Host::cancel_pending() {
  const absl::Status status = stopped_meanwhile();
  for (const auto& desk : desks_) {
    for (auto& [number, pending] : desk->gets) pending.done(status);
    for (auto& [number, pending] : desk->puts) pending.done(status);
    desk->gets.clear();
    desk->puts.clear();
  }
  for (auto& [number, done] : std::exchange(waits_, {})) done(status);
}

void Host::stop() {
  if (in_child()) return;
  const bool elsewhere = stopped_.exchange(true);
  if (!elsewhere) stopping_on_ = std::this_thread::get_id();
  if (elsewhere) {
    const bool here = stopping_on_ == std::this_thread::get_id();  // the log has called back
    if (!here && !stop_done_.done() && may_block().ok()) stop_done_.wait();
    return;
  }
  parts_.transport->stop();
  parts_.environment->stop();
  if (membership_started_) parts_.membership->stop();
  {
    const EveryDesk lock(desks_);
    for (const auto& desk : desks_) {
      take_inbox(*desk);
      cancel(std::exchange(desk->taken, {}));
    }
    cancel_pending();
    local_reads_->publish(nullptr);  // the engine goes
  }
  // What was acknowledged from memory is synced before the directory is let go.
  buffer_.hurry();
  while (flush()) {
  }
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

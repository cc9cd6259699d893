#include "host/object_buffer.h"

#include <algorithm>
#include <utility>

namespace dynamo::host {

namespace {

// What an entry takes besides its bytes, roughly.
constexpr std::size_t entry_overhead = 128;
constexpr std::size_t spare_max = 8192;
// A part of a sweep. Of more parts each would write more pages that the others write too; one of
// more bytes would need much memory where every record lies on a page of its own.
constexpr std::size_t parts = 8;
constexpr std::size_t part_bytes_max = std::size_t{2} << 20;

std::size_t bytes_of(const Content& content) { return content.bytes_taken() + entry_overhead; }

}  // namespace

ObjectBuffer::~ObjectBuffer() {
  std::vector<std::unique_ptr<Unwritten>> left;
  order_.visit_from({}, [&](Unwritten& record) {
    left.emplace_back(&record);
    return true;
  });
}

core::TimePoint ObjectBuffer::put(core::WriteRecord write, core::TimePoint now) {
  Content content(write.key, std::move(write.record));
  const std::uint64_t hash = RecordTable::hash_of(write.key);
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Unwritten> fresh = take_spare();
  Unwritten& record = table_.write(hash, content, *fresh);
  bytes_.fetch_add(bytes_of(content), std::memory_order_relaxed);
  std::swap(record.content, content);
  if (&record == fresh.get()) {
    record.hash = hash;
    order_.add(record);
    static_cast<void>(fresh.release());
  } else {
    bytes_.fetch_sub(bytes_of(content), std::memory_order_relaxed);
    give_spare(std::move(fresh));
  }
  record.sequence = ++sequence_;
  record.writes.push_back({record.sequence, write.write});
  record.acknowledged = record.acknowledged || !write.synced;
  if (write.synced) {
    make_urgent(record, now);
  } else {
    make_wait(record, now + flush_interval_);
  }
  table_.tidy();
  return next_due();
}

std::unique_ptr<Unwritten> ObjectBuffer::take_spare() {
  if (spare_.empty()) return std::make_unique<Unwritten>();
  std::unique_ptr<Unwritten> spare = std::move(spare_.back());
  spare_.pop_back();
  return spare;
}

void ObjectBuffer::give_spare(std::unique_ptr<Unwritten> spare) {
  if (spare_.size() >= spare_max) return;
  std::destroy_at(spare.get());
  std::construct_at(spare.get());
  spare_.push_back(std::move(spare));
}

void ObjectBuffer::make_urgent(Unwritten& record, core::TimePoint now) {
  if (record.state == State::urgent) return;
  record.state = State::urgent;
  if (urgent_.empty()) urgent_due_ = now;
  urgent_.push_back(&record);
}

void ObjectBuffer::make_wait(Unwritten& record, core::TimePoint due) {
  if (record.state != State::out) return;
  record.state = State::waits;
  waiting_due_ = std::min(waiting_due_, due);
}

// It is unwritten no more.
void ObjectBuffer::forget(Unwritten& record) {
  bytes_.fetch_sub(bytes_of(record.content), std::memory_order_relaxed);
  order_.remove(record);
  give_spare(std::unique_ptr<Unwritten>(&record));
}

void ObjectBuffer::drop(const std::vector<Unwritten*>& records) {
  for (Unwritten* const record : records) record->state = State::dropped;
  std::erase_if(urgent_, [](const Unwritten* record) { return record->state == State::dropped; });
  if (urgent_.empty()) urgent_due_ = core::TimePoint::max();
  for (Unwritten* const record : records) {
    table_.drop(record->hash, record->key());
    forget(*record);
  }
}

std::vector<Content> ObjectBuffer::range(std::string_view from, std::size_t limit) const {
  std::vector<Content> found;
  if (limit == 0) return found;
  const std::lock_guard lock(mutex_);
  order_.visit_from(from, [&](const Unwritten& record) {
    found.push_back(record.content);
    return found.size() < limit;
  });
  return found;
}

ObjectBuffer::Batch ObjectBuffer::take(core::TimePoint now, bool all) {
  const std::lock_guard lock(mutex_);
  Batch batch;
  if (batch_out_) return batch;
  if (all) {
    end_sweep();
    waiting_due_ = core::TimePoint::max();
    order_.visit_from({}, [&](Unwritten& record) {
      if (record.state != State::out) batch.push_back(take_out(record));
      return true;
    });
  } else {
    if (part_bytes_ == 0 && waiting_due_ <= now) {
      part_bytes_ = std::max(std::min(bytes() / parts, part_bytes_max), part_bytes_min_);
      waiting_due_ = core::TimePoint::max();
    }
    if (part_bytes_ == 0 && urgent_due_ > now) return batch;
    for (Unwritten* const record : urgent_) batch.push_back(take_out(*record));
    std::ranges::sort(batch, {}, &Item::key);
    if (part_bytes_ > 0) take_part(batch);
  }
  urgent_.clear();
  urgent_due_ = core::TimePoint::max();
  batch_out_ = !batch.empty();
  return batch;
}

void ObjectBuffer::take_part(Batch& batch) {
  const auto urgent = static_cast<Batch::difference_type>(batch.size());
  std::size_t bytes = 0;
  const Unwritten* last = nullptr;
  bool more = false;
  order_.visit_back_from(swept_to_, [&](Unwritten& record) {
    if (record.state != State::waits) return true;
    more = bytes >= part_bytes_;
    if (more) return false;
    bytes += bytes_of(record.content);
    last = &record;
    batch.push_back(take_out(record));
    return true;
  });
  if (more) {
    swept_to_ = std::string(last->key());
  } else {
    end_sweep();
  }
  const auto part = batch.begin() + urgent;
  std::reverse(part, batch.end());
  std::ranges::inplace_merge(batch, part, {}, &Item::key);
}

void ObjectBuffer::end_sweep() {
  part_bytes_ = 0;
  swept_to_.reset();
}

void ObjectBuffer::hurry() {
  const std::lock_guard lock(mutex_);
  if (bytes() > 0) waiting_due_ = {};
}

ObjectBuffer::Item ObjectBuffer::take_out(Unwritten& record) {
  record.state = State::out;
  return {record.content, record.sequence, &record};
}

std::vector<std::uint64_t> ObjectBuffer::written(const Batch& batch) {
  std::vector<std::uint64_t> settled;
  settled.reserve(batch.size());
  const std::lock_guard lock(mutex_);
  batch_out_ = false;
  for (const Item& item : batch) {
    Unwritten& record = *item.unwritten;
    if (std::exchange(record.refused, false)) --refused_;
    auto& writes = record.writes;
    const auto is_newer = [&](const Unwritten::Write& write) {
      return write.sequence > item.sequence;
    };
    const auto newer = std::ranges::find_if(writes, is_newer);  // they ascend
    for (auto write = writes.begin(); write != newer; ++write) settled.push_back(write->write);
    writes.erase(writes.begin(), newer);
    // What has come in meanwhile stays, and is due on its own.
    if (record.sequence != item.sequence) continue;
    table_.settle(record.hash, item.key());
    forget(record);
  }
  table_.tidy();
  return settled;
}

std::vector<std::uint64_t> ObjectBuffer::failed(const Batch& batch, core::TimePoint retry,
                                                std::string reason) {
  const std::lock_guard lock(mutex_);
  batch_out_ = false;
  if (part_bytes_ > 0) waiting_due_ = std::min(waiting_due_, retry);
  end_sweep();
  reason_ = std::move(reason);
  std::vector<std::uint64_t> settled;
  std::vector<Unwritten*> lost;
  for (const Item& item : batch) {
    Unwritten& record = *item.unwritten;
    if (record.acknowledged) {
      make_wait(record, retry);  // and its writes are settled by the try that succeeds
      if (!std::exchange(record.refused, true)) ++refused_;
      continue;
    }
    for (const Unwritten::Write& write : record.writes) settled.push_back(write.write);
    lost.push_back(&record);
  }
  drop(lost);
  return settled;
}

std::vector<std::uint64_t> ObjectBuffer::abandoned() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> settled;
  std::vector<Unwritten*> lost;
  order_.visit_from({}, [&](Unwritten& record) {
    for (const Unwritten::Write& write : record.writes) settled.push_back(write.write);
    record.writes.clear();
    if (!record.acknowledged) lost.push_back(&record);
    return true;
  });
  drop(lost);
  std::ranges::sort(settled);
  return settled;
}

std::string ObjectBuffer::refusal() const {
  const std::lock_guard lock(mutex_);
  return refused_ > 0 ? reason_ : std::string();
}

core::TimePoint ObjectBuffer::due() const {
  const std::lock_guard lock(mutex_);
  return next_due();
}

// REQUIRES: mutex_ is held.
core::TimePoint ObjectBuffer::next_due() const {
  if (batch_out_) return core::TimePoint::max();
  if (part_bytes_ > 0) return {};
  return std::min(urgent_due_, waiting_due_);
}

}  // namespace dynamo::host

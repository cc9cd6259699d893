#include "node/generations.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/mutant.h"
#include "node/engine_keys.h"
#include "node/record.h"

namespace dynamo::core {

std::string encode_generation(const Generation& generation) {
  std::string content;
  Encoder out(content);
  out.varint(generation.current);
  out.varint(generation.settled);
  out.varint(generation.sealed);
  out.varint(generation.floor);
  out.fixed8(generation.rebuilding ? 1 : 0);
  out.fixed8(generation.replaced ? 1 : 0);
  return seal_record(content);
}

absl::StatusOr<Generation> decode_generation(std::string_view record) {
  const absl::StatusOr<std::string_view> content = open_record(record);
  if (!content.ok()) return content.status();
  Decoder in(*content);
  Generation generation;
  generation.current = in.varint();
  generation.settled = in.varint_up_to(generation.current);
  generation.sealed = in.varint_up_to(generation.current);
  generation.floor = in.varint_up_to(generation.current);
  generation.rebuilding = in.fixed8() != 0;
  generation.replaced = in.fixed8() != 0;
  if (!in.ok()) return absl::DataLossError("the record of this node's generation is malformed");
  return generation;
}

absl::Status Generations::restore(std::string_view record) {
  absl::StatusOr<Generation> generation = decode_generation(record);
  if (!generation.ok()) return generation.status();
  state_.generation = *generation;
  state_.stored_generation = *generation;
  return absl::OkStatus();
}

bool Generations::heard(const Turn& turn, const PacketHeader& header) {
  bool lost = false;
  const Generation before = std::exchange(state_.generation, after(header, &lost));
  if (state_.generation != before) store(turn);
  return lost;
}

Generation Generations::after(const PacketHeader& header, bool* lost) const {
  Generation mine = state_.generation;
  // A new member is as far as the first that it hears of, and may refuse at once what that one
  // refuses. Whoever was there before has been waited for, so it makes no difference to it.
  if (mine == Generation{}) mine.floor = header.generation;
  const bool replaced = header.replaced && header.receiver == state_.self.identity.high;
  const bool rebuilds = replaced && mine.rebuild(header.generation);
  if (lost != nullptr) *lost = rebuilds;
  mine.raise(header.generation);
  // Only what is on the disk here counts: who has sealed has promised to refuse.
  const Generation& stored = state_.stored_generation;
  if (std::max(stored.settled, stored.floor) >= header.sealed) {
    mine.seal(header.sealed);
  }
  return mine;
}

void Generations::take(const Turn& turn, const std::string& from, const GenerationReport& report) {
  wished_ = std::max(wished_, report.wished);
  if (!state_.is_self(first())) {
    if (from == first()) send(from);  // it asks
    return;
  }
  reports_[from] = {report.settled, report.members};
  lead(turn);
  // Who still reports that does not know yet. Any packet will tell.
  if (state_.stored_generation.sealed >= report.settled) state_.ping(from, turn.now.steady);
}

void Generations::wish(std::uint64_t generation) { wished_ = std::max(wished_, generation); }

void Generations::rebuilt(const Turn& turn) {
  if (state_.generation.rebuilt()) store(turn);
}

const std::string& Generations::first() const {
  return std::ranges::min_element(state_.ring->members(), {}, &Member::name)->name;
}

// Zero as long as some member has not been heard of.
Hash128 Generations::members() const {
  std::string bytes;
  Encoder out(bytes);
  for (const Member& member : state_.ring->members()) {
    const Identity identity = state_.identity_of(member.name);
    if (identity.is_zero()) return {};
    out.bytes(member.name);
    out.fixed64(identity.high);
    out.fixed64(identity.low);
  }
  return hash128(bytes, 0x6d656d62657273);
}

void Generations::store(const Turn& turn) {
  write_ = Write{state_.next_number(), state_.generation};
  turn.write({.write = write_->number,
              .key = generation_key(),
              .record = encode_generation(state_.generation)});
}

void Generations::synced(std::uint64_t write) {
  if (!write_ || write_->number != write) return;
  state_.stored_generation = write_->generation;
  write_.reset();
  due_ = {};
}

void Generations::failed(std::uint64_t write) {
  if (write_ && write_->number == write) write_.reset();  // tick() tries again
}

bool Generations::busy() const {
  const Generation& mine = state_.stored_generation;
  return state_.generation != mine || mine.sealed < mine.current || mine.sealed < wished_;
}

void Generations::settle() {
  // Until it is on the disk that this node is in it, what it takes is stamped with the one before
  // (seed 790844: a disk that was slow, and hints that their owners refused for ever).
  if (state_.stored_generation.current < state_.generation.current) return;
  // A hint that is stamped lower would be refused by its owners once all have settled.
  const bool ignores = mutated(Mutant::reap_without_hints);
  // Nor is anything forgotten of which this node may hold a copy that it does not own.
  const bool copies = state_.view.number > 1 && !mutated(Mutant::copy_ignored_by_reaping) &&
                      state_.settings.with_trees &&
                      (state_.former_known != state_.view.number || !state_.former.empty());
  if (ignores || (state_.hints.oldest_stamp() >= state_.generation.current && !copies)) {
    state_.generation.settle(state_.generation.current);
  }
}

// The member with the first name: counts reports, seals, and begins the next generation.
void Generations::lead(const Turn& turn) {
  const Generation& stored = state_.stored_generation;
  const Hash128 known = members();
  reports_[state_.self.name] = {stored.settled, known};
  state_.unsettled.clear();
  for (const Member& member : state_.ring->members()) {
    const auto report = reports_.find(member.name);
    const bool settled = report != reports_.end() && report->second.settled >= stored.current &&
                         report->second.members == known && known != Hash128{};
    if (!settled) state_.unsettled.push_back(member.name);
  }
  Generation& mine = state_.generation;
  bool changed = false;
  if (state_.unsettled.empty()) {
    changed = mine.seal(stored.current);
    if (mine.sealed < wished_ && mine.sealed == mine.current && !mine.rebuilding) {
      changed = mine.raise(mine.current + 1) || changed;
    }
  }
  if (changed) store(turn);
}

void Generations::report(const Turn& turn) {
  const std::string& to = first();
  if (state_.is_self(to)) {
    for (const std::string& name : state_.unsettled) {
      if (!state_.is_self(name)) send(name);
    }
  } else {
    send(to);
  }
  // Whom this node has never heard of it has to hear of.
  for (const Member& member : state_.ring->members()) {
    if (!state_.identity_of(member.name).is_zero()) continue;
    state_.ping(member.name, turn.now.steady);
  }
}

void Generations::send(const std::string& to) {
  state_.outbox.send(to, GenerationReport{.settled = state_.stored_generation.settled,
                                          .wished = wished_,
                                          .members = members()});
}

void Generations::tick(const Turn& turn) {
  if (state_.ring == nullptr || !state_.takes_writes().ok()) return;
  if (!busy()) {
    state_.generation_since = turn.now.steady;
    return;
  }
  if (due_ > turn.now.steady) return;
  due_ = turn.now.steady + again;
  settle();
  if (state_.generation != state_.stored_generation && !write_) store(turn);
  if (state_.is_self(first())) lead(turn);
  report(turn);
}

TimePoint Generations::next_tick() const {
  if (state_.ring == nullptr || !state_.takes_writes().ok() || !busy()) return TimePoint::max();
  return due_;
}

}  // namespace dynamo::core

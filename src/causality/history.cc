#include "causality/history.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dynamo::core {

namespace {

constexpr std::size_t decoded_entries_max = std::size_t{1} << 16;

void encode_actor(Encoder& out, const ActorId& actor) {
  out.fixed64(actor.boot);
  out.varint(actor.sequence);
}

ActorId decode_actor(Decoder& in) {
  ActorId actor;
  actor.boot = in.fixed64();
  actor.sequence = in.varint();
  return actor;
}

constexpr std::uint64_t entry_bytes_min = 10;

// The dot is among the first `contiguous` of its actor, or the next. Subtracts, because a peer or a
// forged context may claim the greatest counter there is.
bool follows(const Dot& dot, std::uint64_t contiguous) {
  return dot.counter == 0 || dot.counter - 1 <= contiguous;
}

}  // namespace

bool History::contains(const Dot& dot) const {
  return dot.counter <= clock_[dot.actor] || std::ranges::binary_search(dots_, dot);
}

bool History::covers(const History& other) const {
  // Both are folded, so a contiguous run of `other` is in this set only as a contiguous run.
  return std::ranges::all_of(other.clock_.entries(),
                             [this](const auto& e) { return clock_[e.actor] >= e.counter; }) &&
         std::ranges::all_of(other.dots_, [this](const Dot& dot) { return contains(dot); });
}

void History::add(const Dot& dot) {
  if (dot.counter == 0 || contains(dot)) return;
  if (dots_.empty() && follows(dot, clock_[dot.actor])) return clock_.raise(dot.actor, dot.counter);
  dots_.insert(std::ranges::upper_bound(dots_, dot), dot);
  fold();
}

void History::merge(const History& other) {
  clock_.merge(other.clock_);
  std::vector<Dot> all;
  all.reserve(dots_.size() + other.dots_.size());
  std::ranges::set_union(dots_, other.dots_, std::back_inserter(all));
  dots_ = std::move(all);
  fold();
}

void History::fold() {
  // Ascending order means that a run of dots above the vector is folded in one pass.
  std::erase_if(dots_, [this](const Dot& dot) {
    if (!follows(dot, clock_[dot.actor])) return false;
    clock_.raise(dot.actor, dot.counter);
    return true;
  });
}

std::uint64_t History::highest(const ActorId& actor) const {
  std::uint64_t highest = clock_[actor];
  const auto after = std::ranges::upper_bound(dots_, Dot{actor, ~std::uint64_t{0}});
  if (after != dots_.begin() && std::prev(after)->actor == actor) {
    highest = std::max(highest, std::prev(after)->counter);
  }
  return highest;
}

std::string History::to_string() const {
  std::string text = clock_.to_string();
  for (const Dot& dot : dots_) text += " +" + dot.to_string();
  return text;
}

void History::encode(Encoder& out) const {
  out.varint(clock_.size());
  for (const VectorClock::Entry& entry : clock_.entries()) {
    encode_actor(out, entry.actor);
    out.varint(entry.counter);
  }
  out.varint(dots_.size());
  for (const Dot& dot : dots_) {
    encode_actor(out, dot.actor);
    out.varint(dot.counter);
  }
}

void History::skip(Decoder& in) {
  for (int list = 0; list < 2; ++list) {
    const std::uint64_t size = in.count(decoded_entries_max, entry_bytes_min);
    for (std::uint64_t i = 0; i < size; ++i) {
      decode_actor(in);
      in.varint();
    }
  }
}

History History::decode(Decoder& in) {
  History history;
  const std::uint64_t clock_size = in.count(decoded_entries_max, entry_bytes_min);
  ActorId last_actor;
  for (std::uint64_t i = 0; i < clock_size && in.ok(); ++i) {
    const ActorId actor = decode_actor(in);
    const std::uint64_t counter = in.varint();
    if (counter == 0 || (i > 0 && actor <= last_actor)) in.fail();
    history.clock_.raise(actor, counter);
    last_actor = actor;
  }
  const std::uint64_t dots_size = in.count(decoded_entries_max, entry_bytes_min);
  for (std::uint64_t i = 0; i < dots_size && in.ok(); ++i) {
    Dot dot;
    dot.actor = decode_actor(in);
    dot.counter = in.varint();
    // What could be folded is not canonical, and would compare unequal to its own equal.
    const bool folded = follows(dot, history.clock_[dot.actor]);
    if (folded || (i > 0 && dot <= history.dots_.back())) in.fail();
    history.dots_.push_back(dot);
  }
  return in.ok() ? std::move(history) : History{};
}

}  // namespace dynamo::core

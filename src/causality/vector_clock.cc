#include <dynamo/vector_clock.h>

#include <algorithm>

#include <fmt/format.h>

namespace dynamo {

namespace {

auto find(auto& entries, const ActorId& actor) {
  return std::lower_bound(
      entries.begin(), entries.end(), actor,
      [](const VectorClock::Entry& entry, const ActorId& a) { return entry.actor < a; });
}

// Every event that `b` has seen, `a` has seen.
bool covers(const VectorClock& a, const VectorClock& b) {
  return std::ranges::all_of(b.entries(), [&a](const VectorClock::Entry& entry) {
    return a[entry.actor] >= entry.counter;
  });
}

}  // namespace

std::string ActorId::to_string() const { return fmt::format("{:x}.{:x}", boot, sequence); }

void VectorClock::advance(const ActorId& actor) { raise(actor, (*this)[actor] + 1); }

void VectorClock::raise(const ActorId& actor, std::uint64_t counter) {
  if (counter == 0) return;
  const auto at = find(entries_, actor);
  if (at != entries_.end() && at->actor == actor) {
    at->counter = std::max(at->counter, counter);
  } else {
    entries_.insert(at, {actor, counter});
  }
}

void VectorClock::merge(const VectorClock& other) {
  if (entries_.empty()) entries_ = other.entries_;
  // One pass over both, which ascend. Mostly they name the same actors, and nothing is inserted.
  auto at = entries_.begin();
  for (const Entry& entry : other.entries_) {
    while (at != entries_.end() && at->actor < entry.actor) ++at;
    if (at != entries_.end() && at->actor == entry.actor) {
      at->counter = std::max(at->counter, entry.counter);
    } else {
      at = entries_.insert(at, entry);
    }
  }
}

std::uint64_t VectorClock::operator[](const ActorId& actor) const {
  const auto at = find(entries_, actor);
  return at != entries_.end() && at->actor == actor ? at->counter : 0;
}

std::string VectorClock::to_string() const {
  std::string text = "{";
  for (const Entry& entry : entries_) {
    if (text.size() > 1) text += ", ";
    text += fmt::format("{}:{}", entry.actor.to_string(), entry.counter);
  }
  return text + "}";
}

std::partial_ordering operator<=>(const VectorClock& a, const VectorClock& b) {
  const bool a_covers = covers(a, b);
  const bool b_covers = covers(b, a);
  if (a_covers && b_covers) return std::partial_ordering::equivalent;
  if (a_covers) return std::partial_ordering::greater;
  if (b_covers) return std::partial_ordering::less;
  return std::partial_ordering::unordered;
}

bool concurrent(const VectorClock& a, const VectorClock& b) {
  return (a <=> b) == std::partial_ordering::unordered;
}

}  // namespace dynamo

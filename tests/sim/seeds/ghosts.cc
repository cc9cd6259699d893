#include "ghosts.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include <fmt/format.h>

namespace seeds {

using dynamo::core::StoredVersion;

namespace {

// The number, and then as many letters as make up the size, which differ between writes.
std::string make_object(int number, std::size_t size) {
  std::string object = fmt::format("{}:", number);
  while (object.size() < size) {
    object.push_back(
        static_cast<char>('a' + (static_cast<std::size_t>(number) + object.size()) % 26));
  }
  return object;
}

}  // namespace

bool wins_over(const Write& one, const Write& other) {
  return std::tuple(one.clock, one.id) > std::tuple(other.clock, other.id);
}

bool has_winner(const Write& write, std::span<const StoredVersion> versions) {
  return std::ranges::any_of(versions, [&](const StoredVersion& version) {
    return std::tuple(version.clock.value, version.write_id) >= std::tuple(write.clock, write.id);
  });
}

void KeyGhosts::add_dot(const KnownDot& known) {
  const std::size_t place = dots.size();
  dot_places.emplace(known.dot, place);
  dots.push_back(known);
  std::vector<Counted>& of_actor = dots_by_actor[known.dot.actor];
  const auto after = std::ranges::upper_bound(of_actor, known.dot.counter, {}, &Counted::counter);
  of_actor.insert(after, {known.dot.counter, place});
}

Bits KeyGhosts::dots_in(const dynamo::core::History& history) const {
  Bits in;
  in.reserve(dots.size());
  for (const dynamo::VectorClock::Entry& entry : history.clock().entries()) {
    const auto of_actor = dots_by_actor.find(entry.actor);
    if (of_actor == dots_by_actor.end()) continue;
    for (const Counted& dot : of_actor->second) {
      if (dot.counter > entry.counter) break;
      in.add(dot.place);
    }
  }
  for (const dynamo::Dot& dot : history.dots()) {
    if (const auto at = dot_places.find(dot); at != dot_places.end()) in.add(at->second);
  }
  return in;
}

std::string Ghosts::key_name(int key) { return fmt::format("k{}", key); }

int Ghosts::key_of(std::string_view name) const {
  int key = -1;
  if (!name.starts_with('k')) return -1;
  const auto parsed = std::from_chars(name.data() + 1, name.data() + name.size(), key);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == name.data() + name.size();
  return whole && key >= 0 && key < keys() ? key : -1;
}

Write& Ghosts::begin(int key, bool is_delete, bool expires, std::size_t size, const Seen& seen) {
  KeyGhosts& ghosts = of(key);
  Write write{.number = writes(),
              .key = key,
              .place = ghosts.writes.size(),
              .expires = expires,
              .seen = seen.writes,
              .seen_dots = seen.dots};
  if (!is_delete) write.object = make_object(write.number, size);
  write.seen.add(write.place);
  ghosts.writes.push_back(write.number);
  return writes_.emplace_back(std::move(write));
}

void Ghosts::name(int number, const dynamo::WriteId& id) {
  if (id.is_zero()) return;
  write(number).id = id;
  by_id_.emplace(id, number);
}

void Ghosts::acknowledge(int number, std::chrono::nanoseconds at) {
  Write& acknowledged = write(number);
  if (acknowledged.fate == Fate::acknowledged) return;
  acknowledged.fate = Fate::acknowledged;
  acknowledged.acknowledged_at = at;
  KeyGhosts& ghosts = of(acknowledged.key);
  ghosts.acknowledged.add(acknowledged.place);
  ghosts.replaced_dots.add(acknowledged.seen_dots);
}

const Write* Ghosts::find_object(std::string_view object) const {
  int number = -1;
  const auto parsed = std::from_chars(object.data(), object.data() + object.size(), number);
  if (parsed.ec != std::errc() || number < 0 || number >= writes()) return nullptr;
  const Write& named = write(number);
  return named.object == object ? &named : nullptr;
}

Write* Ghosts::find_stored(const StoredVersion& version) {
  if (const auto at = by_id_.find(version.write_id); at != by_id_.end()) return &write(at->second);
  if (!version.object) return nullptr;
  const Write* found = find_object(*version.object);
  if (found == nullptr) return nullptr;
  Write& named = write(found->number);
  if (!named.id.is_zero()) return named.id == version.write_id ? &named : nullptr;
  // Its first node has drawn the id, and this is where it shows first.
  name(named.number, version.write_id);
  return &named;
}

void Ghosts::reap(int key, const Bits& covered) {
  KeyGhosts& ghosts = of(key);
  ghosts.reaped.add(covered);
  for (const int number : ghosts.writes) {
    const Write& reaped = write(number);
    if (!ghosts.reaped.has(reaped.place)) continue;
    if (ghosts.reaped_last < 0 || wins_over(reaped, write(ghosts.reaped_last))) {
      ghosts.reaped_last = number;
    }
  }
}

bool Ghosts::lost_to_reaped(const Write& lost) const {
  const int last = of(lost.key).reaped_last;
  return last >= 0 && wins_over(write(last), lost);
}

std::size_t Ghosts::dot_place(int key, const StoredVersion& version) {
  KeyGhosts& ghosts = of(key);
  const auto at = ghosts.dot_places.find(version.dot);
  if (at != ghosts.dot_places.end()) return at->second;
  KnownDot known{.dot = version.dot, .id = version.write_id};
  if (Write* write = find_stored(version); write != nullptr) {
    known.write = write->number;
    known.write_place = write->place;
    known.may_be_hidden = write->may_be_hidden();
    write->dots.push_back(version.dot);
  }
  ghosts.add_dot(known);
  return ghosts.dots.size() - 1;
}

Seen Ghosts::seen_by(int key, const std::vector<dynamo::Version>& versions,
                     const dynamo::core::History& context) {
  const KeyGhosts& ghosts = of(key);
  Seen seen;
  const auto add = [&](const Write& write, std::optional<std::size_t> dot) {
    // Who has seen a write has seen all that it had.
    if (!seen.writes.has(write.place)) {
      seen.writes.add(write.seen);
      seen.dots.add(write.seen_dots);
    }
    if (dot) seen.dots.add(*dot);
  };
  for (const dynamo::Version& version : versions) {
    const Write* write = find_object(version.object);
    const auto dot = ghosts.dot_places.find(version.dot);
    if (write == nullptr) continue;
    add(*write, dot == ghosts.dot_places.end() ? std::nullopt : std::optional(dot->second));
  }
  ghosts.dots_in(context).for_each([&](std::size_t place) {
    const KnownDot& known = ghosts.dots[place];
    if (known.write >= 0 && known.may_be_hidden) add(write(known.write), place);
  });
  return seen;
}

Seen Ghosts::seen_after(const Write& write, const dynamo::core::History& context) const {
  Seen seen{.writes = write.seen, .dots = write.seen_dots};
  const KeyGhosts& ghosts = of(write.key);
  for (const dynamo::Dot& dot : write.dots) {
    if (context.contains(dot)) seen.dots.add(ghosts.dot_places.at(dot));
  }
  return seen;
}

}  // namespace seeds

#include "causality/version_set.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace dynamo::core {

namespace {

constexpr std::uint64_t versions_max = std::uint64_t{1} << 20;
constexpr std::uint64_t object_bytes_max = std::uint64_t{16} << 20;
constexpr std::uint64_t version_bytes_min = 36;

constexpr std::uint8_t flag_object = 1;
constexpr std::uint8_t flag_expires = 2;

void encode_version(Encoder& out, const StoredVersion& version) {
  out.fixed64(version.dot.actor.boot);
  out.varint(version.dot.actor.sequence);
  out.varint(version.dot.counter);
  out.fixed64(version.write_id.high);
  out.fixed64(version.write_id.low);
  out.fixed64(version.clock.value);
  out.varint(static_cast<std::uint64_t>(version.written_at_us));
  const bool expires = version.expires_at_us != 0;
  out.fixed8(
      static_cast<std::uint8_t>((version.object ? flag_object : 0) | (expires ? flag_expires : 0)));
  if (expires) out.varint(static_cast<std::uint64_t>(version.expires_at_us));
  if (version.object) out.bytes(*version.object);
}

// Reads all but the object, of which it returns what is there.
std::optional<std::string_view> decode_version(Decoder& in, StoredVersion& version) {
  version.dot.actor.boot = in.fixed64();
  version.dot.actor.sequence = in.varint();
  version.dot.counter = in.varint();
  version.write_id.high = in.fixed64();
  version.write_id.low = in.fixed64();
  version.clock.value = in.fixed64();
  version.written_at_us = static_cast<std::int64_t>(in.varint());
  const std::uint8_t flags = in.fixed8();
  if (flags > (flag_object | flag_expires)) in.fail();
  if ((flags & flag_expires) != 0) {
    version.expires_at_us = static_cast<std::int64_t>(in.varint());
    if (version.expires_at_us == 0) in.fail();
  }
  if ((flags & flag_object) == 0) return std::nullopt;
  return in.bytes(object_bytes_max);
}

// A set as most are: few actors, no gaps in what was seen of them, at most one version. False if it
// is another, or none at all.
bool check_usual(Decoder& in) {
  constexpr std::size_t actors_max = 8;
  std::array<VectorClock::Entry, actors_max> clock;
  const std::uint64_t size = in.varint();
  if (size > actors_max) return false;
  for (std::uint64_t i = 0; i < size; ++i) {
    clock[i].actor.boot = in.fixed64();
    clock[i].actor.sequence = in.varint();
    clock[i].counter = in.varint();
    if (clock[i].counter == 0 || (i > 0 && clock[i].actor <= clock[i - 1].actor)) return false;
  }
  const bool gaps = in.varint() > 0;
  const std::uint64_t versions = in.varint();
  if (!in.ok() || gaps || versions > 1) return false;
  if (versions == 0) return true;
  StoredVersion version;
  decode_version(in, version);
  return in.ok() && version.dot.counter > 0 &&
         std::any_of(clock.begin(), clock.begin() + static_cast<std::ptrdiff_t>(size),
                     [&](const VectorClock::Entry& entry) {
                       return entry.actor == version.dot.actor &&
                              entry.counter >= version.dot.counter;
                     });
}

}  // namespace

bool wins_over(const StoredVersion& a, const StoredVersion& b) {
  return std::tie(a.clock, a.write_id, a.dot) > std::tie(b.clock, b.write_id, b.dot);
}

template <class Other>
void VersionSet::merge_from(Other&& other, Conflict conflict) {
  // What is given away is moved out of.
  using Taken =
      std::conditional_t<std::is_same_v<Other, VersionSet>, StoredVersion&&, const StoredVersion&>;
  // As most often.
  if (*this == other && (conflict == Conflict::keep_siblings || versions_.size() < 2)) return;
  Versions kept;
  kept.reserve(std::max(versions_.size(), other.versions_.size()));
  auto mine = versions_.begin();
  auto theirs = other.versions_.begin();
  while (mine != versions_.end() || theirs != other.versions_.end()) {
    const bool take_mine =
        theirs == other.versions_.end() || (mine != versions_.end() && mine->dot <= theirs->dot);
    const bool in_both = take_mine && theirs != other.versions_.end() && mine->dot == theirs->dot;
    if (in_both) {
      kept.push_back(std::move(*mine++));
      ++theirs;
    } else if (take_mine) {
      if (!other.history_.contains(mine->dot)) kept.push_back(std::move(*mine));
      ++mine;
    } else {
      if (!history_.contains(theirs->dot)) kept.push_back(static_cast<Taken>(*theirs));
      ++theirs;
    }
  }
  versions_ = std::move(kept);
  history_.merge(other.history_);
  if (mutated(Mutant::history_pruned_on_repair)) {
    history_ = {};
    for (const StoredVersion& version : versions_) history_.add(version.dot);
  }
  if (conflict == Conflict::last_write_wins) keep_last_write();
}

void VersionSet::merge(const VersionSet& other, Conflict conflict) { merge_from(other, conflict); }

void VersionSet::merge(VersionSet&& other, Conflict conflict) {
  if (!empty() || other.versions_.size() > 1) {
    merge_from(std::move(other), conflict);
  } else {
    *this = std::move(other);
  }
}

bool VersionSet::replaces(const VersionSet& other, Conflict conflict) const {
  if (conflict == Conflict::last_write_wins && versions_.size() > 1) return false;
  const auto is_news = [&other](const StoredVersion& version) {
    return !other.history_.contains(version.dot) ||
           std::ranges::find(other.versions_, version.dot, &StoredVersion::dot) !=
               other.versions_.end();
  };
  return history_.covers(other.history_) && std::ranges::all_of(versions_, is_news);
}

void VersionSet::put(const History& context, StoredVersion version, Conflict conflict) {
  DYNAMO_CHECK(version.dot.counter > 0 && !history_.contains(version.dot));
  const auto replaced = std::ranges::remove_if(versions_, [&](const StoredVersion& v) {
    return context.contains(v.dot) || mutated(Mutant::context_of_record) ||
           (mutated(Mutant::no_dots) && v.dot.actor == version.dot.actor);
  });
  versions_.erase(replaced.begin(), replaced.end());
  history_.merge(context);
  history_.add(version.dot);
  const auto at = std::ranges::lower_bound(versions_, version.dot, {}, &StoredVersion::dot);
  versions_.insert(at, std::move(version));
  if (conflict == Conflict::last_write_wins) keep_last_write();
}

std::size_t VersionSet::size_after_put(const History& context) const {
  return 1 + static_cast<std::size_t>(std::ranges::count_if(
                 versions_, [&](const StoredVersion& v) { return !context.contains(v.dot); }));
}

void VersionSet::keep_last_write() {
  if (versions_.size() < 2) return;
  const auto winner = std::ranges::max_element(
      versions_, [](const StoredVersion& a, const StoredVersion& b) { return wins_over(b, a); });
  StoredVersion last = std::move(*winner);
  versions_.clear();
  versions_.push_back(std::move(last));
}

bool VersionSet::only_deletes_at(std::int64_t wall_us) const {
  return !empty() && std::ranges::none_of(versions_, [&](const StoredVersion& version) {
    return version.visible_at(wall_us);
  });
}

const StoredVersion* VersionSet::find_write(const WriteId& id) const {
  const auto at = std::ranges::find(versions_, id, &StoredVersion::write_id);
  return at == versions_.end() ? nullptr : &*at;
}

HybridTime VersionSet::latest() const {
  HybridTime latest;
  for (const StoredVersion& version : versions_) latest = std::max(latest, version.clock);
  return latest;
}

std::size_t VersionSet::bytes() const {
  std::size_t bytes = 16 + 20 * history_.size();
  for (const StoredVersion& version : versions_) {
    bytes += 64 + (version.object ? version.object->size() : 0);
  }
  return bytes;
}

void VersionSet::encode(Encoder& out) const {
  history_.encode(out);
  out.varint(versions_.size());
  for (const StoredVersion& version : versions_) encode_version(out, version);
}

VersionSet VersionSet::decode(Decoder& in) {
  VersionSet set;
  set.history_ = History::decode(in);
  const std::uint64_t size = in.count(versions_max, version_bytes_min);
  set.versions_.reserve(size);
  for (std::uint64_t i = 0; i < size && in.ok(); ++i) {
    StoredVersion version;
    if (const auto object = decode_version(in, version)) version.object.emplace(*object);
    const bool ascends = i == 0 || set.versions_.back().dot < version.dot;
    if (!ascends || version.dot.counter == 0 || !set.history_.contains(version.dot)) in.fail();
    set.versions_.push_back(std::move(version));
  }
  return in.ok() ? std::move(set) : VersionSet{};
}

void VersionSet::check(Decoder& in) {
  Decoder ahead = in;
  if (check_usual(ahead)) {
    in = ahead;
  } else {
    decode(in);
  }
}

}  // namespace dynamo::core

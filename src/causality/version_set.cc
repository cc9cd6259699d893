#include "causality/version_set.h"

#include <algorithm>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "causality/encoded_version.h"
#include "causality/usual_set.h"

namespace dynamo::core {

namespace {

constexpr std::uint64_t versions_max = std::uint64_t{1} << 20;
constexpr std::uint64_t version_bytes_min = 36;

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
    version.dot = decode_dot(in);
    if (const auto object = decode_behind_dot(in, version)) version.object.emplace(*object);
    const bool ascends = i == 0 || set.versions_.back().dot < version.dot;
    if (!ascends || version.dot.counter == 0 || !set.history_.contains(version.dot)) in.fail();
    set.versions_.push_back(std::move(version));
  }
  return in.ok() ? std::move(set) : VersionSet{};
}

void VersionSet::check(Decoder& in) {
  Decoder ahead = in;
  if (UsualSet().read(ahead)) {
    in = ahead;
  } else {
    decode(in);
  }
}

}  // namespace dynamo::core

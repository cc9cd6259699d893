#include "repair/hint_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dynamo::core {

bool HintLog::has_room(std::string_view key, std::size_t bytes, std::size_t bytes_max) const {
  const auto lock = mutex_.lock();
  const Hint* held = find(key);
  const std::size_t before = held == nullptr ? 0 : held->bytes;
  const std::size_t after = bytes + overhead;
  return after <= before || bytes_ - before + after <= bytes_max;
}

void HintLog::count(const Hint& hint, bool add) {
  bytes_ += add ? hint.bytes : 0;
  bytes_ -= add ? 0 : hint.bytes;
  for (const Identity& identity : hint.owed) {
    if (add) {
      ++owed_to_[identity];
    } else if (const auto at = owed_to_.find(identity); --at->second == 0) {
      owed_to_.erase(at);
    }
  }
  if (add) {
    since_.insert(hint.since_us);
    stamps_.insert(hint.stamp);
    accepted_.insert(hint.accepted);
  } else {
    since_.erase(since_.find(hint.since_us));
    stamps_.erase(stamps_.find(hint.stamp));
    accepted_.erase(hint.accepted);
  }
}

void HintLog::put(std::string_view key, std::vector<Identity> owed, std::string_view store,
                  std::size_t bytes, std::int64_t since_us, std::uint64_t stamp) {
  const auto lock = mutex_.lock();
  const auto [at, added] = hints_.try_emplace(std::string(key));
  Hint& hint = at->second;
  hint.revision = ++last_revision_;
  if (added) {
    hint.since_us = since_us;
    hint.accepted = hint.revision;
  } else {
    count(hint, false);
    owed.insert(owed.end(), hint.owed.begin(), hint.owed.end());
  }
  std::ranges::sort(owed);
  owed.erase(std::unique(owed.begin(), owed.end()), owed.end());
  hint.owed = std::move(owed);
  hint.store = store;
  hint.bytes = bytes + overhead;
  hint.stamp = stamp;
  hint.synced.clear();
  count(hint, true);
}

void HintLog::note_synced(std::string_view key, std::uint64_t revision, std::uint64_t view,
                          const Identity& owner) {
  const auto at = hints_.find(key);
  if (at == hints_.end() || at->second.revision != revision) return;
  Hint& hint = at->second;
  if (hint.synced_in != view) hint.synced.clear();
  hint.synced_in = view;
  hint.synced.insert(owner);
}

void HintLog::strike(std::string_view key, std::vector<Identity> owed, std::size_t bytes) {
  const auto at = hints_.find(key);
  if (at == hints_.end()) return;
  count(at->second, false);
  at->second.owed = std::move(owed);
  at->second.bytes = bytes + overhead;
  count(at->second, true);
}

void HintLog::erase(std::string_view key) {
  const auto at = hints_.find(key);
  if (at == hints_.end()) return;
  count(at->second, false);
  hints_.erase(at);
  ++erased_;
}

std::size_t HintLog::left_of(std::uint64_t revision) const {
  return accepted_.empty() || *accepted_.begin() > revision ? 0 : hints_.size();
}

const HintLog::Hint* HintLog::find(std::string_view key) const {
  const auto at = hints_.find(key);
  return at == hints_.end() ? nullptr : &at->second;
}

std::size_t HintLog::owed_to(const Identity& identity) const {
  const auto at = owed_to_.find(identity);
  return at == owed_to_.end() ? 0 : at->second;
}

}  // namespace dynamo::core

#include "host/unwritten.h"

#include <algorithm>
#include <cstring>

#include "node/engine_keys.h"

namespace dynamo::host {

KeyOrder::Place KeyOrder::place_of(std::string_view key) {
  Place place;
  if (key.empty()) return place;
  place.section[0] = static_cast<unsigned char>(key.front());
  const bool by_hash =
      core::is_kind(key, core::RecordKind::object) || core::is_kind(key, core::RecordKind::hint);
  if (!by_hash) return place;
  std::memcpy(place.section.data(), key.data(), std::min(key.size(), place.section.size()));
  const auto byte = [key](std::size_t at) {
    return at < key.size() ? static_cast<unsigned char>(key[at]) : 0U;
  };
  const std::size_t hash = place.section.size();
  place.group = (byte(hash) << 8 | byte(hash + 1)) >> (16 - group_bits);
  return place;
}

void KeyOrder::add(Unwritten& record) {
  const Place place = place_of(record.key());
  Group& group = sections_[place.section][place.group];
  record.place = static_cast<std::uint32_t>(group.size());
  group.push_back(&record);
}

void KeyOrder::remove(Unwritten& record) {
  const Place place = place_of(record.key());
  Group& group = sections_.find(place.section)->second[place.group];
  group[record.place] = group.back();
  group[record.place]->place = record.place;
  group.pop_back();
}

void KeyOrder::visit_from(std::string_view key, absl::FunctionRef<bool(Unwritten&)> visit) const {
  const Place first = place_of(key);
  Group sorted;
  for (auto at = sections_.lower_bound(first.section); at != sections_.end(); ++at) {
    const std::size_t from = at->first == first.section ? first.group : 0;
    for (std::size_t number = from; number < at->second.size(); ++number) {
      const Group& group = at->second[number];
      if (group.empty()) continue;
      sorted = group;
      std::ranges::sort(sorted, {}, &Unwritten::key);
      for (Unwritten* const record : sorted) {
        if (record->key() >= key && !visit(*record)) return;
      }
    }
  }
}

void KeyOrder::visit_back_from(const std::optional<std::string>& key,
                               absl::FunctionRef<bool(Unwritten&)> visit) const {
  const Place last = place_of(key.value_or(""));
  auto end = key ? sections_.upper_bound(last.section) : sections_.end();
  Group sorted;
  while (end != sections_.begin()) {
    const auto& [section, groups] = *--end;
    std::size_t number = key && section == last.section ? last.group + 1 : groups.size();
    while (number-- > 0) {
      if (groups[number].empty()) continue;
      sorted = groups[number];
      std::ranges::sort(sorted, std::ranges::greater{}, &Unwritten::key);
      for (Unwritten* const record : sorted) {
        if ((!key || record->key() < *key) && !visit(*record)) return;
      }
    }
  }
}

}  // namespace dynamo::host

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"

namespace dynamo::core {

// Values by name, in the order of the names. They are found by a hash: what every packet asks for
// several times takes no longer among a thousand names than among three.
//
// Values stay where they are until they are erased. Thread safety: as of a container.
template <class Value>
class NameMap {
 public:
  using Map = std::map<std::string, Value, std::less<>>;
  using Entry = typename Map::value_type;

  NameMap() = default;
  NameMap(const NameMap&) = delete;  // the slots point into the map
  NameMap& operator=(const NameMap&) = delete;
  NameMap(NameMap&&) = default;
  NameMap& operator=(NameMap&&) = default;

  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

  // Null if there is none.
  Entry* find_entry(std::string_view name) { return entry_of(name); }
  Value* find(std::string_view name) {
    Entry* entry = entry_of(name);
    return entry == nullptr ? nullptr : &entry->second;
  }
  const Value* find(std::string_view name) const {
    const Entry* entry = entry_of(name);
    return entry == nullptr ? nullptr : &entry->second;
  }

  // The entry of that name, made of these arguments if there was none; whether that was so.
  template <class... Arguments>
  std::pair<Entry&, bool> try_emplace(std::string_view name, Arguments&&... arguments) {
    if (Entry* known = entry_of(name)) return {*known, false};
    Entry& added =
        *entries_.try_emplace(std::string(name), std::forward<Arguments>(arguments)...).first;
    if (2 * entries_.size() > slots_.size()) {
      make_slots();
    } else {
      add(added);
    }
    return {added, true};
  }

  // Those for which `is_gone(entry)`.
  template <class IsGone>
  void erase_if(IsGone is_gone) {
    if (std::erase_if(entries_, is_gone) > 0) make_slots();
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    Entry* entry = nullptr;  // null: free
  };
  static constexpr std::size_t slots_min = 8;

  static std::uint64_t hash_of(std::string_view name) { return hash64(name, 0); }

  Entry* entry_of(std::string_view name) const {
    if (slots_.empty()) return nullptr;
    const std::uint64_t hash = hash_of(name);
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].entry != nullptr; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].hash == hash && slots_[at].entry->first == name) return slots_[at].entry;
    }
    return nullptr;
  }
  // REQUIRES: there is a free slot.
  void add(Entry& entry) {
    const std::uint64_t hash = hash_of(entry.first);
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at].entry != nullptr) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {hash, &entry};
  }
  void make_slots() {
    std::size_t count = slots_min;
    while (count < 4 * entries_.size()) count *= 2;
    slots_.assign(count, Slot());
    for (Entry& entry : entries_) add(entry);
  }

  Map entries_;
  std::vector<Slot> slots_;  // a power of two of them, at most half of them taken; or none
};

}  // namespace dynamo::core

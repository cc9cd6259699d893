#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/flat_table.h"
#include "base/hash.h"

namespace dynamo::core {

// Values by name, in the order of the names. They are found by a hash: what every packet asks for
// several times takes no longer among a thousand names than among three.
//
// Values stay where they are until they are erased. Thread safety: as of a container.
template <class Value>
class NameMap {
 public:
  using Entry = std::pair<const std::string, Value>;

  NameMap() = default;
  NameMap(const NameMap&) = delete;  // the table points into the map
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
    by_hash_[added.first] = &added;
    return {added, true};
  }

  // Those for which `is_gone(entry)`.
  template <class IsGone>
  void erase_if(IsGone is_gone) {
    std::erase_if(entries_, [&](const Entry& entry) {
      const bool gone = is_gone(entry);
      if (gone) by_hash_.erase(entry.first);
      return gone;
    });
  }

 private:
  struct Hash {
    std::size_t operator()(std::string_view name) const { return hash64(name, 0); }
  };

  Entry* entry_of(std::string_view name) const {
    Entry* const* const at = by_hash_.find(name);
    return at == nullptr ? nullptr : *at;
  }

  std::map<std::string, Value, std::less<>> entries_;
  FlatTable<std::string_view, Entry*, Hash> by_hash_;  // the names are those of the entries
};

}  // namespace dynamo::core

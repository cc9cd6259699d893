#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace dynamo::core {

// A hash table in one block of memory: a search waits for memory once, and not along a chain. For
// small keys and values that are plain bytes, and many of them. The order in which they lie says
// nothing; the same calls give the same one.
//
// Its memory grows with the entries, and is given back when the last one goes.
//
// `Hash` spreads keys over all bits. Thread safety: one thread at a time.
template <class Key, class Value, class Hash>
class FlatTable {
 public:
  std::size_t size() const { return size_; }
  // Valid until something is added or erased; null if there is none.
  Value* find(const Key& key) {
    if (slots_.empty()) return nullptr;
    Slot& slot = slots_[place_of(key)];
    return slot.used ? &slot.value : nullptr;
  }
  const Value* find(const Key& key) const { return const_cast<FlatTable*>(this)->find(key); }
  bool contains(const Key& key) const { return !slots_.empty() && slots_[place_of(key)].used; }
  // Added, if there is none.
  Value& operator[](const Key& key) {
    if (4 * (size_ + 1) > 3 * slots_.size()) grow();
    Slot& slot = slots_[place_of(key)];
    if (!slot.used) {
      slot = {.key = key, .used = true};
      ++size_;
    }
    return slot.value;
  }
  void erase(const Key& key) {
    if (slots_.empty()) return;
    const std::size_t at = place_of(key);
    if (!slots_[at].used) return;
    close_gap(at);
    if (--size_ == 0) slots_ = {};
  }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.used) visit(slot.key, slot.value);
    }
  }
  // Brings what a search for the key needs near the processor.
  void prefetch(const Key& key) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[first_of(key)]);
  }

 private:
  struct Slot {
    Key key{};
    Value value{};
    bool used = false;
  };
  static constexpr std::size_t slots_min = 16;

  std::size_t first_of(const Key& key) const { return Hash()(key) & (slots_.size() - 1); }
  std::size_t behind(std::size_t slot) const { return (slot + 1) & (slots_.size() - 1); }
  // Where the key is, or the free slot where it would be.
  std::size_t place_of(const Key& key) const {
    std::size_t at = first_of(key);
    while (slots_[at].used && !(slots_[at].key == key)) at = behind(at);
    return at;
  }
  void grow() {
    std::vector<Slot> before(slots_.empty() ? slots_min : 2 * slots_.size());
    before.swap(slots_);
    for (Slot& slot : before) {
      if (slot.used) slots_[place_of(slot.key)] = std::move(slot);
    }
  }
  // What lies behind the gap and belongs before it moves up.
  void close_gap(std::size_t gap) {
    for (std::size_t at = behind(gap); slots_[at].used; at = behind(at)) {
      const std::size_t first = first_of(slots_[at].key);
      const std::size_t way_to_gap = (gap - first) & (slots_.size() - 1);
      const std::size_t way = (at - first) & (slots_.size() - 1);
      if (way_to_gap > way) continue;
      slots_[gap] = std::move(slots_[at]);
      gap = at;
    }
    slots_[gap] = Slot();
  }

  std::vector<Slot> slots_;  // a power of two of them, or none
  std::size_t size_ = 0;
};

}  // namespace dynamo::core

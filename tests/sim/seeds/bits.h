#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace seeds {

// A set of small numbers.
//
// Thread safety: a value.
class Bits {
 public:
  void add(std::size_t i) {
    if (words_.size() <= i / 64) words_.resize(i / 64 + 1);
    words_[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  void add(const Bits& other) {
    if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
    for (std::size_t w = 0; w < other.words_.size(); ++w) words_[w] |= other.words_[w];
  }
  bool has(std::size_t i) const {
    return i / 64 < words_.size() && (words_[i / 64] >> (i % 64) & 1) != 0;
  }
  // Makes room for numbers below that, all of them out.
  void reserve(std::size_t below) {
    if (words_.size() < (below + 63) / 64) words_.resize((below + 63) / 64);
  }
  void remove(const Bits& other) {
    const std::size_t both = std::min(words_.size(), other.words_.size());
    for (std::size_t w = 0; w < both; ++w) words_[w] &= ~other.words_[w];
  }
  // In ascending order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t left = words_[w]; left != 0; left &= left - 1) {
        visit(w * 64 + static_cast<std::size_t>(std::countr_zero(left)));
      }
    }
  }
  // The first number that is here and not there; -1 if there is none.
  int first_missing_in(const Bits& other) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const std::uint64_t there = w < other.words_.size() ? other.words_[w] : 0;
      const std::uint64_t missing = words_[w] & ~there;
      if (missing != 0) return static_cast<int>(w) * 64 + std::countr_zero(missing);
    }
    return -1;
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace seeds

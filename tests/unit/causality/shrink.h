#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace test {

// Leaves out whatever the failure does not need. `fails`: whether these steps still do.
template <class Step, class Fails>
std::vector<Step> shrunk(std::vector<Step> steps, Fails fails) {
  std::size_t before = 0;
  do {  // until nothing goes: what could not may after something else has gone
    before = steps.size();
    for (std::size_t width = (before + 1) / 2; width > 0; width /= 2) {
      for (std::size_t from = 0; from + width <= steps.size();) {
        std::vector<Step> fewer = steps;
        const auto first = fewer.begin() + static_cast<std::ptrdiff_t>(from);
        fewer.erase(first, first + static_cast<std::ptrdiff_t>(width));
        if (fails(fewer)) {
          steps = std::move(fewer);
        } else {
          from += width;
        }
      }
    }
  } while (steps.size() < before);
  return steps;
}

}  // namespace test

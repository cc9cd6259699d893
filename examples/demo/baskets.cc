#include "baskets.h"

#include <fstream>
#include <stdexcept>

#include "fields.h"

namespace demo {

namespace {

constexpr std::size_t item_bytes_max = 200;

std::string trimmed(const std::string& text) {
  const char* const blanks = " \t\r\"";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace

std::vector<Basket> read_baskets(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file)) {
    throw std::runtime_error("--baskets: " + file.string() + " is not a file");
  }
  std::ifstream in(file);
  if (!in) throw std::runtime_error("--baskets: " + file.string() + " cannot be read");
  std::vector<Basket> baskets;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    Basket basket;
    for (const std::string& field : split(line, ',')) {
      std::string item = trimmed(field);
      if (item.size() > item_bytes_max) {
        throw std::runtime_error("--baskets: line " + std::to_string(number) + " has an item of " +
                                 std::to_string(item.size()) + " bytes, the limit is " +
                                 std::to_string(item_bytes_max));
      }
      for (char& c : item) {
        if (c == '\t') c = ' ';
      }
      if (!item.empty()) basket.push_back(std::move(item));
    }
    if (!basket.empty()) baskets.push_back(std::move(basket));
  }
  if (baskets.empty()) throw std::runtime_error("--baskets: " + file.string() + " holds no basket");
  return baskets;
}

}  // namespace demo

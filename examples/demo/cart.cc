#include "cart.h"

#include <sstream>

namespace demo {

Cart parse_cart(std::string_view object) {
  Cart cart;
  std::istringstream lines{std::string(object)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos) cart.emplace(line.substr(0, tab), line.substr(tab + 1));
  }
  return cart;
}

std::string format_cart(const Cart& cart) {
  std::string object;
  for (const auto& [add, item] : cart) object += add + "\t" + item + "\n";
  return object;
}

std::string merge_carts(std::span<const dynamo::Version> siblings) {
  Cart merged;
  for (const dynamo::Version& version : siblings) merged.merge(parse_cart(version.object));
  return format_cart(merged);
}

}  // namespace demo

#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace demo {

using Basket = std::vector<std::string>;

// Market baskets, one a line, items separated by commas; empty lines are skipped. Throws
// std::runtime_error with a sentence if the file cannot be read or holds no basket.
std::vector<Basket> read_baskets(const std::filesystem::path& file);

}  // namespace demo

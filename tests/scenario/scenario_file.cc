#include "scenario_file.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace scenario {

namespace {

constexpr std::string_view separator = "----";

}  // namespace

std::vector<std::string> Block::commands() const {
  std::vector<std::string> lines;
  std::ranges::copy_if(head, std::back_inserter(lines), [](const std::string& text) {
    return !text.empty() && !text.starts_with('#');
  });
  return lines;
}

std::vector<Block> read_scenario(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(fmt::format("{}: cannot be read", path));
  std::vector<Block> blocks;
  Block block{.line = 1};
  bool in_output = false;
  std::size_t line_number = 0;
  for (std::string line; std::getline(in, line);) {
    ++line_number;
    if (in_output && line.empty()) {
      blocks.push_back(std::exchange(block, Block{.line = line_number + 1}));
      in_output = false;
    } else if (in_output) {
      block.output.push_back(std::move(line));
    } else if (line == separator) {
      in_output = true;
    } else {
      block.head.push_back(std::move(line));
    }
  }
  if (in_output) {
    blocks.push_back(std::move(block));
  } else if (!block.commands().empty()) {
    throw std::runtime_error(
        fmt::format("{}:{}: commands without a line {}", path, block.line, separator));
  }
  return blocks;
}

void write_scenario(const std::string& path, const std::vector<Block>& blocks) {
  std::ofstream out(path, std::ios::trunc);
  bool first = true;
  for (const Block& block : blocks) {
    if (!std::exchange(first, false)) out << '\n';
    for (const std::string& line : block.head) out << line << '\n';
    out << separator << '\n';
    for (const std::string& line : block.output) out << line << '\n';
  }
  if (!out.flush()) throw std::runtime_error(fmt::format("{}: cannot be written", path));
}

std::string difference(const std::vector<std::string>& expected,
                       const std::vector<std::string>& actual) {
  // Longest common subsequence: common[i][j] is that of what follows expected[i] and actual[j].
  std::vector<std::vector<std::size_t>> common(expected.size() + 1,
                                               std::vector<std::size_t>(actual.size() + 1));
  for (std::size_t i = expected.size(); i-- > 0;) {
    for (std::size_t j = actual.size(); j-- > 0;) {
      common[i][j] = expected[i] == actual[j] ? common[i + 1][j + 1] + 1
                                              : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::string text;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < expected.size() || j < actual.size()) {
    if (i < expected.size() && j < actual.size() && expected[i] == actual[j]) {
      text += "  " + expected[i++] + "\n";
      ++j;
    } else if (j == actual.size() ||
               (i < expected.size() && common[i + 1][j] >= common[i][j + 1])) {
      text += "- " + expected[i++] + "\n";
    } else {
      text += "+ " + actual[j++] + "\n";
    }
  }
  return text;
}

}  // namespace scenario

#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace scenario {

// Commands, and what they are expected to print:
//
//   # Comments and blank lines may come before the commands and between them.
//   put at=a key=cart object=book
//   get at=b key=cart
//   ----
//   what these commands print, up to the next blank line
struct Block {
  std::size_t line = 0;               // of the first line of `head`, counted from 1
  std::vector<std::string> head{};    // everything before the ----
  std::vector<std::string> output{};  // everything after it

  std::vector<std::string> commands() const;
};

// Throws std::runtime_error if there is no such file, or commands at its end lack their ----.
std::vector<Block> read_scenario(const std::string& path);
void write_scenario(const std::string& path, const std::vector<Block>& blocks);

// For people: the lines of both, those of only one marked with - or +.
std::string difference(const std::vector<std::string>& expected,
                       const std::vector<std::string>& actual);

}  // namespace scenario

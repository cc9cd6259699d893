#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tidy {

// One rule that one line of one file breaks.
struct Violation {
  std::string path{};  // relative to the root
  std::size_t line = 0;
  std::string rule{};
  std::string message{};
};

struct Include {
  std::size_t line = 0;
  std::string target{};  // without quotes or brackets
  bool quoted = false;
};

// A C++ source as the rules see it.
//
// Thread safety: a value.
struct SourceFile {
  std::string path{};                // relative to the root, with '/'
  std::string layer{};               // of src/<layer>/..., else empty
  std::vector<std::string> lines{};  // as written
  std::vector<std::string> code{};   // without comments, literals' contents, preprocessor lines
  std::vector<Include> includes{};
};

// Reads root/path.
SourceFile read_source(const std::filesystem::path& root, const std::string& path);

// The file's lines, without their ends.
std::vector<std::string> read_lines(const std::filesystem::path& file);

// True for letters, digits and '_'.
bool is_word(char c);

// Where `word` stands in `text` from `from` on, not as a part of a longer identifier; npos if it
// does not.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from = 0);

}  // namespace tidy

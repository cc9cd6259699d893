// The C++ in README.md and in the guides under examples/: each block names the file it is taken
// from, ```cpp examples/quick_start.cc, and that file is compiled and run: examples/CMakeLists.txt
// names it, or a program that it names includes it. A line "// ..." in a block stands for lines
// left out. Other blocks say what they are.

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "rules.h"

namespace tidy {
namespace {

struct Block {
  std::size_t line = 0;  // of the fence
  std::string source{};  // what the fence names
  std::vector<std::string> code{};
};

std::string trimmed(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t");
  if (first == line.npos) return {};
  return std::string(line.substr(first, line.find_last_not_of(" \t") - first + 1));
}

std::vector<std::string> code_lines(const std::vector<std::string>& lines) {
  std::vector<std::string> code;
  for (const std::string& line : lines) {
    if (std::string text = trimmed(line); !text.empty()) code.push_back(std::move(text));
  }
  return code;
}

// Fences under which C++ may stand and nobody looks.
std::vector<std::size_t> unclear_fences(const std::vector<std::string>& lines) {
  std::vector<std::size_t> unclear;
  bool inside = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with("```")) continue;
    inside = !inside;
    const std::string language = trimmed(lines[i].substr(3));
    const bool clear = language.starts_with("cpp") || language == "sh" || language == "cmake" ||
                       language == "text";
    if (inside && !clear) unclear.push_back(i + 1);
  }
  return unclear;
}

// Whether examples/CMakeLists.txt names the program, with or without its folder.
bool is_program(const Tree& tree, const std::filesystem::path& source) {
  const std::filesystem::path list = tree.root / "examples/CMakeLists.txt";
  if (source.extension() != ".cc" || !std::filesystem::exists(list)) return false;
  return std::ranges::any_of(read_lines(list), [&](const std::string& line) {
    return find_word(line.substr(0, line.find('#')), source.stem().string()) != line.npos;
  });
}

bool is_compiled(const Tree& tree, const std::string& source) {
  if (is_program(tree, source)) return true;
  const std::string name = std::filesystem::path(source).filename().string();
  return std::ranges::any_of(tree.files, [&](const SourceFile& file) {
    return is_program(tree, file.path) &&
           std::ranges::any_of(file.includes, [&](const Include& include) {
             return include.quoted && std::filesystem::path(include.target).filename() == name;
           });
  });
}

std::vector<Block> cpp_blocks(const std::vector<std::string>& lines) {
  std::vector<Block> blocks;
  bool inside = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool fence = lines[i].starts_with("```");
    if (inside && fence) {
      inside = false;
    } else if (inside) {
      blocks.back().code.push_back(lines[i]);
    } else if (fence && lines[i].starts_with("```cpp")) {
      inside = true;
      blocks.push_back({.line = i + 1, .source = trimmed(lines[i].substr(6))});
    }
  }
  for (Block& block : blocks) block.code = code_lines(block.code);
  return blocks;
}

// Whether the block's lines stand in the source, one after the other but where lines are left out.
bool stands_in(const Block& block, const std::vector<std::string>& source) {
  for (std::size_t start = 0; start < source.size(); ++start) {
    std::size_t at = start;
    bool gap = false;
    const bool found = std::ranges::all_of(block.code, [&](const std::string& line) {
      if (line == "// ...") return gap = true;
      if (gap) {
        while (at < source.size() && source[at] != line) ++at;
      }
      gap = false;
      return at < source.size() && source[at++] == line;
    });
    if (found) return true;
  }
  return false;
}

std::vector<std::string> documents(const Tree& tree) {
  std::vector<std::string> found;
  if (std::filesystem::exists(tree.root / "README.md")) found.emplace_back("README.md");
  if (!std::filesystem::exists(tree.root / "examples")) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tree.root / "examples")) {
    if (entry.path().extension() != ".md") continue;
    found.push_back(std::filesystem::relative(entry.path(), tree.root).generic_string());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

std::vector<Violation> check_snippets(const Tree& tree) {
  std::vector<Violation> violations;
  for (const std::string& document : documents(tree)) {
    const std::vector<std::string> lines = read_lines(tree.root / document);
    for (const std::size_t line : unclear_fences(lines)) {
      violations.push_back({document, line, "snippets", "a block is cpp, sh, cmake or text"});
    }
    for (const Block& block : cpp_blocks(lines)) {
      const std::filesystem::path source = tree.root / block.source;
      if (block.source.empty() || !std::filesystem::is_regular_file(source)) {
        violations.push_back({document, block.line, "snippets",
                              "the block names no source: ```cpp path/to/file.cc"});
      } else if (!is_compiled(tree, block.source)) {
        violations.push_back({document, block.line, "snippets",
                              block.source + " is not a program of examples/CMakeLists.txt"});
      } else if (!stands_in(block, code_lines(read_lines(source)))) {
        violations.push_back(
            {document, block.line, "snippets", "the block is not what stands in " + block.source});
      }
    }
  }
  return violations;
}

}  // namespace tidy

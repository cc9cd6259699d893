// File names that say nothing, the map in src/README.md, and sources that no build compiles.

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules.h"

namespace tidy {
namespace {

std::string basename_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == path.npos ? path : path.substr(slash + 1));
}

// A path is true if it exists below the root, src or include; a bare file name if any source has
// it.
bool names_a_file(const Tree& tree, const std::string& path) {
  for (const char* base : {"", "src", "include"}) {
    if (std::filesystem::is_regular_file(tree.root / base / path)) return true;
  }
  if (path.find('/') != std::string::npos) return false;
  for (const SourceFile& file : tree.files) {
    if (basename_of(file.path) == path) return true;
  }
  return false;
}

bool is_source_path(std::string_view text) {
  if (!text.ends_with(".h") && !text.ends_with(".cc")) return false;
  for (const char c : text) {
    if (!is_word(c) && c != '.' && c != '/' && c != '-') return false;
  }
  return text.front() != '.';
}

// The CMakeLists.txt that has to name `file`, and how; empty if there is none.
std::pair<std::string, std::string> list_for(const SourceFile& file) {
  const std::string unit = "tests/unit/";
  if (!file.path.ends_with(".cc")) return {};
  if (file.path.starts_with(unit)) return {unit + "CMakeLists.txt", file.path.substr(unit.size())};
  if (file.layer.empty()) return {};
  const std::string layer = "src/" + file.layer + "/";
  return {layer + "CMakeLists.txt", file.path.substr(layer.size())};
}

bool names_word(const std::vector<std::string>& lines, const std::string& word) {
  for (const std::string& line : lines) {
    std::istringstream words(line.substr(0, line.find('#')));
    for (std::string found; words >> found;) {
      if (found == word || found == word + ")") return true;
    }
  }
  return false;
}

}  // namespace

std::vector<Violation> check_names(const Tree& tree) {
  std::vector<Violation> violations;
  for (const SourceFile& file : tree.files) {
    const std::string name = basename_of(file.path);
    const std::string stem = name.substr(0, name.rfind('.'));
    std::size_t from = 0;
    while (from <= stem.size()) {
      const std::size_t end = std::min(stem.find('_', from), stem.size());
      const std::string word = stem.substr(from, end - from);
      for (const char* empty :
           {"util", "utils", "common", "helper", "helpers", "manager", "impl"}) {
        if (word != empty) continue;
        violations.push_back({file.path, 1, "names", "'" + word + "' says nothing about the file"});
      }
      from = end + 1;
    }
  }
  return violations;
}

std::vector<Violation> check_lists(const Tree& tree) {
  std::vector<Violation> violations;
  for (const SourceFile& file : tree.files) {
    const auto [list, name] = list_for(file);
    if (list.empty() || !std::filesystem::exists(tree.root / list)) continue;
    if (names_word(read_lines(tree.root / list), name)) continue;
    violations.push_back({file.path, 1, "lists", "not built: " + list + " does not name " + name});
  }
  return violations;
}

std::vector<Violation> check_map(const Tree& tree) {
  const std::string map = "src/README.md";
  std::vector<Violation> violations;
  if (!std::filesystem::exists(tree.root / map)) return violations;
  const std::vector<std::string> lines = read_lines(tree.root / map);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::size_t open = lines[i].find('`');
    while (open != std::string::npos) {
      const std::size_t close = lines[i].find('`', open + 1);
      if (close == std::string::npos) break;
      const std::string path = lines[i].substr(open + 1, close - open - 1);
      if (is_source_path(path) && !names_a_file(tree, path)) {
        violations.push_back({map, i + 1, "map", "there is no " + path});
      }
      open = lines[i].find('`', close + 1);
    }
  }
  return violations;
}

}  // namespace tidy

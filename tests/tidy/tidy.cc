// Checks the sources of this project against the rules that a reviewer should not have to remember.
//
//   dynamo_tidy RULE ROOT              prints what breaks the rule; fails if anything does
//   dynamo_tidy --expect FILE ROOT     runs all rules; fails unless exactly the violations in FILE,
//                                      lines of "path:line: rule", are found. The test of the test
//
// RULE is one of layers, sizes, calls, names, lists, map, coroutines, snippets.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "rules.h"

namespace tidy {
namespace {

using Rule = std::function<std::vector<Violation>(const Tree&)>;

const std::vector<std::pair<std::string, Rule>> kRules = {
    {"layers", check_layers},         {"sizes", check_sizes},      {"calls", check_calls},
    {"names", check_names},           {"lists", check_lists},      {"map", check_map},
    {"coroutines", check_coroutines}, {"snippets", check_snippets}};

LayerTable read_layers(const std::filesystem::path& file) {
  LayerTable table;
  for (const std::string& line : read_lines(file)) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    std::string layer;
    words >> layer;
    std::set<std::string>& allowed = table[layer];
    for (std::string word; words >> word;) allowed.insert(word);
  }
  return table;
}

int check(const std::string& name, const Tree& tree) {
  const auto rule = std::find_if(kRules.begin(), kRules.end(),
                                 [&](const auto& entry) { return entry.first == name; });
  if (rule == kRules.end()) throw std::runtime_error("no rule " + name);
  const std::vector<Violation> violations = rule->second(tree);
  for (const Violation& v : violations) {
    std::printf("%s:%zu: %s: %s\n", v.path.c_str(), v.line, v.rule.c_str(), v.message.c_str());
  }
  std::printf("%s: %zu files, %zu violations\n", name.c_str(), tree.files.size(),
              violations.size());
  return violations.empty() ? 0 : 1;
}

int compare(const std::filesystem::path& expected_file, const Tree& tree) {
  std::multiset<std::string> expected;
  for (const std::string& line : read_lines(expected_file)) {
    if (!line.empty() && line.front() != '#') expected.insert(line);
  }
  int wrong = 0;
  for (const auto& [name, rule] : kRules) {
    for (const Violation& v : rule(tree)) {
      const std::string found = v.path + ":" + std::to_string(v.line) + ": " + v.rule;
      const auto match = expected.find(found);
      if (match != expected.end()) {
        expected.erase(match);
        continue;
      }
      std::printf("not expected: %s: %s\n", found.c_str(), v.message.c_str());
      ++wrong;
    }
  }
  for (const std::string& missed : expected) std::printf("not found: %s\n", missed.c_str());
  return wrong == 0 && expected.empty() ? 0 : 1;
}

}  // namespace

Tree read_tree(const std::filesystem::path& root) {
  Tree tree{.root = root, .layers = read_layers(root / "cmake/layers.txt"), .files = {}};
  for (const char* top : {"src", "include", "tests", "examples", "benchmarks"}) {
    if (!std::filesystem::exists(root / top)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top)) {
      const std::string extension = entry.path().extension().string();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cc")) continue;
      const std::string path = std::filesystem::relative(entry.path(), root).generic_string();
      if (!path.starts_with("tests/tidy/bad/")) tree.files.push_back(read_source(root, path));
    }
  }
  std::sort(tree.files.begin(), tree.files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  if (tree.files.empty()) throw std::runtime_error("no sources below " + root.string());
  return tree;
}

}  // namespace tidy

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> args(argv + 1, argv + argc);
    if (args.size() == 3 && args[0] == "--expect") {
      return tidy::compare(args[1], tidy::read_tree(args[2]));
    }
    if (args.size() == 2) return tidy::check(args[0], tidy::read_tree(args[1]));
    std::fprintf(stderr, "usage: dynamo_tidy RULE ROOT | --expect FILE ROOT\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dynamo_tidy: %s\n", error.what());
  }
  return 2;
}

#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "source_file.h"

namespace tidy {

// What each layer may include, from cmake/layers.txt.
using LayerTable = std::map<std::string, std::set<std::string>>;

struct Tree {
  std::filesystem::path root{};
  LayerTable layers{};
  std::vector<SourceFile> files{};
};

// Reads every .h and .cc below src, include, tests, examples and benchmarks, but for
// tests/tidy/bad. Throws std::runtime_error if something cannot be read.
Tree read_tree(const std::filesystem::path& root);

// Each rule looks at the whole tree. Thread safety: pure functions.
std::vector<Violation> check_layers(const Tree& tree);  // #include lines against the layer table
std::vector<Violation> check_sizes(const Tree& tree);   // files, functions, lines
std::vector<Violation> check_calls(const Tree& tree);   // banned names; unfinished work
std::vector<Violation> check_names(const Tree& tree);   // file names that say nothing
std::vector<Violation> check_lists(const Tree& tree);   // every source is built
std::vector<Violation> check_map(const Tree& tree);     // src/README.md names files that exist
std::vector<Violation> check_coroutines(const Tree& tree);  // what g++ 12 cannot await
std::vector<Violation> check_snippets(const Tree& tree);  // code in the documents is compiled code

}  // namespace tidy

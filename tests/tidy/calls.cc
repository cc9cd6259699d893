// Names that may not be used: the core takes time, chance and bytes as arguments; the library never
// prints and never decides about the process it lives in; the simulated tests never sleep; what the
// two versions of Catch2 know by different names is called by that of catch.hpp.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "rules.h"

namespace tidy {
namespace {

enum class Where { core, library, tests, simulated_tests };

struct Banned {
  Where where;
  std::string_view name;
  bool call = false;  // only as `name(`, and not as somebody's method
  std::string_view except = "";
};

const std::vector<Banned> kBanned = {
    {Where::core, "system_clock::now"},
    {Where::core, "steady_clock::now"},
    {Where::core, "high_resolution_clock"},
    {Where::core, "random_device"},
    {Where::core, "sleep_for"},
    {Where::core, "sleep_until"},
    {Where::core, "rand", true},
    {Where::core, "srand", true},
    {Where::core, "time", true},
    {Where::core, "clock_gettime", true},
    {Where::library, "std::cout"},
    {Where::library, "std::cerr"},
    {Where::library, "printf", true},
    {Where::library, "puts", true},
    {Where::library, "exit", true},
    {Where::library, "_exit", true},
    {Where::library, "quick_exit", true},
    {Where::library, "abort", true, "src/base/check."},
    {Where::library, "terminate", true},
    {Where::library, "signal", true},
    {Where::library, "sigaction"},
    {Where::library, "fork", true},
    {Where::library, "system", true},
    {Where::library, "co_await"},
    {Where::tests, "Matchers::Contains", false, "tests/catch."},
    {Where::simulated_tests, "sleep_for"},
    {Where::simulated_tests, "sleep_until"},
    {Where::simulated_tests, "usleep", true},
    {Where::simulated_tests, "sleep", true},
};

bool applies(const SourceFile& file, Where where) {
  const auto is_one_of = [](std::string_view name, std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  switch (where) {
    case Where::core:
      return is_one_of(file.layer,
                       {"base", "causality", "ring", "wire", "coordinator", "repair", "node"});
    case Where::library:
      return !file.layer.empty();
    case Where::tests:
      return file.path.starts_with("tests/");
    case Where::simulated_tests:
      return file.path.starts_with("tests/unit/") || file.path.starts_with("tests/sim/") ||
             file.path.starts_with("tests/scenario/") ||
             file.path.starts_with("tests/conformance/");
  }
  return false;
}

// A call of a function, not of a method of that name and not its declaration as one.
bool is_free_call(std::string_view code, std::size_t at, std::size_t size) {
  if (at + size >= code.size() || code[at + size] != '(') return false;
  const std::string_view before = code.substr(0, at);
  if (before.ends_with("::"))
    return before.ends_with("std::") || before.size() == 2 || !is_word(before[before.size() - 3]);
  if (before.ends_with('.') || before.ends_with("->") || before.ends_with('~')) return false;
  // `void abort(` declares; `return abort(` calls.
  if (!before.ends_with(' ')) return true;
  const std::size_t end = before.find_last_not_of(' ');
  if (end == before.npos || (!is_word(before[end]) && before[end] != '>' && before[end] != '*'))
    return true;
  std::size_t start = end + 1;
  while (start > 0 && is_word(before[start - 1])) --start;
  const std::string_view word = before.substr(start, end + 1 - start);
  return word == "return" || word == "else" || word == "do";
}

bool uses(std::string_view code, const Banned& banned) {
  for (std::size_t at = find_word(code, banned.name); at != code.npos;
       at = find_word(code, banned.name, at + 1)) {
    if (!banned.call || is_free_call(code, at, banned.name.size())) return true;
  }
  return false;
}

// Unfinished work says what it waits for: the marker, then a kind or an issue in parentheses.
bool is_unfinished(std::string_view line) {
  const std::string marker = std::string("TO") + "DO";
  if (find_word(line, std::string("FIX") + "ME") != line.npos) return true;
  const std::size_t at = find_word(line, marker);
  if (at == line.npos) return false;
  const std::string_view rest = line.substr(at + marker.size());
  return !rest.starts_with('(') || rest.starts_with("()");
}

}  // namespace

std::vector<Violation> check_calls(const Tree& tree) {
  std::vector<Violation> violations;
  for (const SourceFile& file : tree.files) {
    for (const Banned& banned : kBanned) {
      if (!applies(file, banned.where)) continue;
      if (!banned.except.empty() && file.path.starts_with(banned.except)) continue;
      for (std::size_t i = 0; i < file.code.size(); ++i) {
        if (!uses(file.code[i], banned)) continue;
        violations.push_back(
            {file.path, i + 1, "calls", std::string(banned.name) + " is banned here"});
      }
    }
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      if (!is_unfinished(file.lines[i])) continue;
      violations.push_back(
          {file.path, i + 1, "calls", "unfinished work without a kind or an issue"});
    }
  }
  return violations;
}

}  // namespace tidy

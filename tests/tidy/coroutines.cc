// What g++ 12 gets wrong in a co_await expression, and so may not stand in one: it destroys twice
//
//   co_await f(Request{.key = key})       an aggregate with a member that has a destructor,
//   co_await f({.key = key})              named or not,
//   co_await f([key] { ... })             and a lambda that holds such a member;
//
// and it refuses braces that need an array, co_await f({"a", "b"}), on which g++ 14 crashes. What
// is named in a declaration of its own, and then moved, is safe.
//
// Text does not tell an aggregate from a class with constructors, so braces are refused but for the
// library's own options, which are trivially destructible for this very reason; parentheses do for
// the rest. A lambda that captures by reference only holds nothing.

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "rules.h"

namespace tidy {
namespace {

constexpr std::string_view kAwait = "co_await";

std::size_t skip_spaces(std::string_view code, std::size_t at) {
  while (at < code.size() && std::isspace(static_cast<unsigned char>(code[at])) != 0) ++at;
  return at;
}

// Just behind the bracket that closes the one at `open`.
std::size_t behind_closing(std::string_view code, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < code.size(); ++at) {
    if (code[at] == '(' || code[at] == '[' || code[at] == '{') ++depth;
    if (code[at] == ')' || code[at] == ']' || code[at] == '}') --depth;
    if (depth == 0) return at + 1;
  }
  return code.size();
}

// The expression that starts at `from`: up to a semicolon, or what closes a bracket from before it.
std::string_view expression(std::string_view code, std::size_t from) {
  std::size_t at = from;
  while (at < code.size() && code[at] != ';' && code[at] != ')' && code[at] != ']' &&
         code[at] != '}') {
    const bool opens = code[at] == '(' || code[at] == '[' || code[at] == '{';
    at = opens ? behind_closing(code, at) : at + 1;
  }
  return code.substr(from, at - from);
}

// The word that ends just before `end`, with its qualification; spaces between do not count.
std::string_view word_before(std::string_view code, std::size_t end) {
  while (end > 0 && std::isspace(static_cast<unsigned char>(code[end - 1])) != 0) --end;
  std::size_t start = end;
  while (start > 0 && (is_word(code[start - 1]) || code[start - 1] == ':')) --start;
  return code.substr(start, end - start);
}

// A lambda's brackets follow what a value can follow; a subscript's follow a value.
bool starts_lambda(std::string_view code, std::size_t open) {
  std::size_t end = open;
  while (end > 0 && std::isspace(static_cast<unsigned char>(code[end - 1])) != 0) --end;
  if (end == 0) return true;
  const char before = code[end - 1];
  return before != ')' && before != ']' && (!is_word(before) || word_before(code, end) == "return");
}

// A capture list that copies or makes something: not only `this`, `&` and `&name`.
bool holds_something(std::string_view captures) {
  int depth = 0;
  bool first = true;
  for (std::size_t at = 0; at < captures.size(); ++at) {
    const char c = captures[at];
    if (first && std::isspace(static_cast<unsigned char>(c)) == 0) {
      if (c != '&' && find_word(captures, "this", at) != at) return true;
      first = false;
    }
    if (c == '(' || c == '{' || c == '[') ++depth;
    if (c == ')' || c == '}' || c == ']') --depth;
    if (c == ',' && depth == 0) first = true;
  }
  return false;
}

// From the `[` of a lambda to behind its body.
std::size_t behind_lambda(std::string_view code, std::size_t open) {
  std::size_t at = behind_closing(code, open);
  while (at < code.size() && code[at] != '{') {
    at = code[at] == '(' ? behind_closing(code, at) : at + 1;
  }
  return at < code.size() ? behind_closing(code, at) : at;
}

// Of ReadOptions or WriteOptions: by name, or by what their fields are called.
bool are_options(std::string_view code, std::size_t open) {
  const std::string_view type = word_before(code, open);
  if (type.ends_with("ReadOptions") || type.ends_with("WriteOptions")) return true;
  if (!type.empty()) return false;
  constexpr std::array<std::string_view, 6> fields{"r", "w", "timeout", "ttl", "id", "at_least"};
  const std::size_t end = behind_closing(code, open) - 1;
  std::size_t at = skip_spaces(code, open + 1);
  while (at < end) {
    if (code[at] != '.') return false;
    std::size_t name_end = at + 1;
    while (name_end < end && is_word(code[name_end])) ++name_end;
    const std::string_view name = code.substr(at + 1, name_end - at - 1);
    if (std::ranges::find(fields, name) == fields.end()) return false;
    while (name_end < end && code[name_end] != ',') {
      if (code[name_end] == '{') return false;
      name_end = code[name_end] == '(' ? behind_closing(code, name_end) : name_end + 1;
    }
    at = skip_spaces(code, name_end + 1);
  }
  return true;
}

// What the expression must not hold, or "". A lambda's body is other code; its own co_awaits are
// looked at by themselves.
std::string wrong_with(std::string_view code) {
  for (std::size_t at = 0; at < code.size();) {
    if (code[at] == '[' && starts_lambda(code, at)) {
      const std::size_t end = behind_closing(code, at);
      if (holds_something(code.substr(at + 1, end - at - 2))) {
        return "a lambda with captures in a co_await expression; name it first, then move it";
      }
      at = behind_lambda(code, at);
    } else if (code[at] == '{') {
      if (!are_options(code, at)) {
        return "braces in a co_await expression; name the value first, or write parentheses";
      }
      at = behind_closing(code, at);
    } else {
      ++at;
    }
  }
  return "";
}

}  // namespace

std::vector<Violation> check_coroutines(const Tree& tree) {
  std::vector<Violation> violations;
  for (const SourceFile& file : tree.files) {
    std::string code;
    for (const std::string& line : file.code) code += line + "\n";
    for (std::size_t at = find_word(code, kAwait); at != code.npos;
         at = find_word(code, kAwait, at + 1)) {
      const std::string wrong = wrong_with(expression(code, at + kAwait.size()));
      if (wrong.empty()) continue;
      const auto before = code.begin() + static_cast<std::ptrdiff_t>(at);
      const auto line = static_cast<std::size_t>(std::count(code.begin(), before, '\n')) + 1;
      violations.push_back({file.path, line, "coroutines", wrong});
    }
  }
  return violations;
}

}  // namespace tidy

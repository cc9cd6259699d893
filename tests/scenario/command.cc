#include "command.h"

#include <charconv>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace scenario {

namespace {

// Splits at blanks outside parentheses.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ' ' && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  std::erase(parts, "");
  return parts;
}

std::optional<int> to_number(std::string_view text, std::string_view& rest) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

Command::Command(std::string line) : line_(std::move(line)) {
  for (const std::string& part : split(line_)) {
    const std::size_t equals = part.find('=');
    if (equals != std::string::npos) {
      arguments_.emplace(part.substr(0, equals), part.substr(equals + 1));
    } else if (verb_.empty()) {
      verb_ = part;
    } else {
      words_.push_back(part);
    }
  }
}

void Command::refuse(std::string_view why) const {
  throw std::runtime_error(fmt::format("\"{}\": {}", line_, why));
}

std::optional<std::string> Command::find(const std::string& name) {
  auto found = arguments_.extract(name);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

std::string Command::get(const std::string& name) {
  std::optional<std::string> value = find(name);
  if (!value) refuse(fmt::format("{}= is missing", name));
  return *std::move(value);
}

std::optional<int> Command::find_number(const std::string& name) {
  const std::optional<std::string> text = find(name);
  if (!text) return std::nullopt;
  std::string_view rest;
  const std::optional<int> number = to_number(*text, rest);
  if (!number || !rest.empty()) refuse(fmt::format("{}={} is not a number", name, *text));
  return number;
}

std::optional<std::chrono::milliseconds> Command::find_duration(const std::string& name) {
  const std::optional<std::string> text = find(name);
  return text ? std::optional(duration(*text)) : std::nullopt;
}

std::vector<std::string> Command::list(const std::string& name) {
  const std::optional<std::string> text = find(name);
  if (!text) return {};
  if (!text->starts_with('(') || !text->ends_with(')')) {
    refuse(fmt::format("{}={} is not a list in parentheses", name, *text));
  }
  return split(std::string_view(*text).substr(1, text->size() - 2));
}

void Command::finish(std::size_t words) const {
  if (!arguments_.empty()) {
    refuse(fmt::format("{}= means nothing here", arguments_.begin()->first));
  }
  if (words_.size() != words) {
    refuse(fmt::format("{} words without a name, expected {}", words_.size(), words));
  }
}

std::chrono::milliseconds Command::duration(const std::string& text) const {
  std::string_view unit;
  const std::optional<int> number = to_number(text, unit);
  if (number && unit == "ms") return std::chrono::milliseconds(*number);
  if (number && unit == "s") return std::chrono::seconds(*number);
  refuse(fmt::format("{} is not a duration such as 250ms or 10s", text));
}

}  // namespace scenario

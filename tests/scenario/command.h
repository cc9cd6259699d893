#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace scenario {

// One line of a scenario: `verb word... name=value name=(value value)...`.
//
// Everything has to be used: finish() refuses what no get() has asked for, so that a misspelt name
// is found. All errors are std::runtime_error with the line in them.
class Command {
 public:
  explicit Command(std::string line);

  const std::string& verb() const { return verb_; }
  // The words without a name, in order.
  const std::vector<std::string>& words() const { return words_; }

  std::string get(const std::string& name);  // required
  std::optional<std::string> find(const std::string& name);
  std::optional<int> find_number(const std::string& name);
  std::optional<std::chrono::milliseconds> find_duration(const std::string& name);
  std::vector<std::string> list(const std::string& name);  // empty if there is none
  void finish(std::size_t words) const;

  // "250ms", "10s", "-300ms".
  std::chrono::milliseconds duration(const std::string& text) const;
  [[noreturn]] void refuse(std::string_view why) const;

 private:
  std::string line_;
  std::string verb_;
  std::vector<std::string> words_;
  std::map<std::string, std::string> arguments_;
};

}  // namespace scenario

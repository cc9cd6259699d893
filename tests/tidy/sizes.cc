// How long files, lines and functions may be.
//
// Functions are found by their braces, which is exact enough for formatted code. A stack holds what
// each open brace opened; the text between the last statement and a brace, its head, says which:
//
//   namespace x {            a scope: functions are looked for inside
//   class X : public Y {     a scope as well
//   T f(int a) : b_{a} {     a function: nothing inside is looked at, lambdas count as its lines
//   X x{1, 2};  = {          an initializer: no blank before the brace, or '=' before it

#include <string>
#include <string_view>
#include <vector>

#include "rules.h"

namespace tidy {
namespace {

constexpr std::size_t kFileLinesMax = 400;
constexpr std::size_t kFunctionLinesMax = 70;
constexpr std::size_t kColumnsMax = 100;

enum class Opened { scope, function, initializer };

struct Function {
  std::string name{};
  std::size_t first = 0;
  std::size_t last = 0;
};

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// `head` without a leading `template <...>`.
std::string_view without_template(std::string_view head) {
  if (!head.starts_with("template")) return head;
  int depth = 0;
  for (std::size_t i = head.find('<'); i < head.size(); ++i) {
    if (head[i] == '<') ++depth;
    if (head[i] == '>' && --depth == 0) return trim(head.substr(i + 1));
  }
  return head;
}

Opened classify(std::string_view head, bool blank_before_brace) {
  head = without_template(trim(head));
  if (head.ends_with('=') || !blank_before_brace) return Opened::initializer;
  for (const std::string_view word : {"class", "struct", "union", "enum", "namespace", "extern"}) {
    if (find_word(head, word) == 0 && (word != "extern" || head.find('(') == head.npos)) {
      return Opened::scope;
    }
  }
  if (head.starts_with("inline namespace")) return Opened::scope;
  return head.find('(') == head.npos ? Opened::initializer : Opened::function;
}

// The identifier before the first parenthesis, with its qualification.
std::string name_of(std::string_view head) {
  head = without_template(trim(head));
  const std::string_view before = trim(head.substr(0, head.find('(')));
  const std::size_t blank = before.find_last_of(" *&");
  return std::string(blank == before.npos ? before : before.substr(blank + 1));
}

class FunctionFinder {
 public:
  std::vector<Function> run(const std::vector<std::string>& code) {
    for (line_ = 1; line_ <= code.size(); ++line_) {
      for (const char c : code[line_ - 1]) feed(c);
      feed(' ');
    }
    return std::move(functions_);
  }

 private:
  bool inside(Opened what) const { return !open_.empty() && open_.back() == what; }

  void feed(char c) {
    if (c == '{') {
      open_brace();
    } else if (c == '}') {
      close_brace();
    } else if (inside(Opened::scope) || open_.empty()) {
      if (c == ';' || (c == ':' && is_access(trim(head_)))) {
        head_.clear();
      } else {
        if (c != ' ' && trim(head_).empty()) head_line_ = line_;
        head_ += c;
      }
    }
  }

  static bool is_access(std::string_view head) {
    return head == "public" || head == "protected" || head == "private";
  }

  void open_brace() {
    if (!open_.empty() && !inside(Opened::scope)) {
      open_.push_back(open_.back());
      return;
    }
    open_.push_back(classify(head_, head_.empty() || head_.back() == ' '));
    if (inside(Opened::scope)) head_.clear();
    if (inside(Opened::function)) functions_.push_back({name_of(head_), head_line_, 0});
  }

  void close_brace() {
    if (open_.empty()) return;
    const Opened what = open_.back();
    open_.pop_back();
    if (!open_.empty() && !inside(Opened::scope)) return;
    if (what == Opened::function) functions_.back().last = line_;
    // After an initializer the statement goes on: `: a_{1}, b_(2) {`.
    if (what != Opened::initializer) head_.clear();
  }

  std::vector<Opened> open_{};
  std::vector<Function> functions_{};
  std::string head_{};
  std::size_t head_line_ = 0;
  std::size_t line_ = 0;
};

std::size_t columns(std::string_view line) {
  std::size_t count = 0;
  for (const char c : line) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace

std::vector<Violation> check_sizes(const Tree& tree) {
  std::vector<Violation> violations;
  for (const SourceFile& file : tree.files) {
    const auto add = [&](std::size_t line, std::string message) {
      violations.push_back({file.path, line, "sizes", std::move(message)});
    };
    if (file.lines.size() > kFileLinesMax) {
      add(kFileLinesMax + 1, "the file has " + std::to_string(file.lines.size()) +
                                 " lines, more than " + std::to_string(kFileLinesMax));
    }
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::size_t width = columns(file.lines[i]);
      if (width > kColumnsMax) add(i + 1, "the line has " + std::to_string(width) + " columns");
    }
    for (const Function& function : FunctionFinder().run(file.code)) {
      const std::size_t length = function.last - function.first + 1;
      if (function.last != 0 && length > kFunctionLinesMax) {
        add(function.first, function.name + " has " + std::to_string(length) +
                                " lines, more than " + std::to_string(kFunctionLinesMax));
      }
    }
  }
  return violations;
}

}  // namespace tidy

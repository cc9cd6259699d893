#include "source_file.h"

#include <cctype>
#include <fstream>
#include <stdexcept>

namespace tidy {
namespace {

// Blanks what is not code, one character at a time, and keeps every line break. Good enough for
// formatted C++20; it does not know trigraphs, and continued lines only of the preprocessor.
class Stripper {
 public:
  explicit Stripper(std::string text) : text_(std::move(text)) {}

  std::string run() {
    while (at_ < text_.size()) step();
    return std::move(text_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (starts("//")) {
      blank_to(text_.find('\n', at_));
    } else if (starts("/*")) {
      blank_past("*/", at_ + 2);
    } else if (c == '#' && line_is_blank_so_far()) {
      blank_directive();
    } else if (starts("R\"") && (at_ == 0 || !is_word(text_[at_ - 1]))) {
      const std::size_t open = text_.find('(', at_);
      const std::string end = ")" + text_.substr(at_ + 2, open - at_ - 2) + "\"";
      blank_past(end, open);
    } else if (c == '"' || (c == '\'' && (at_ == 0 || !is_word(text_[at_ - 1])))) {
      blank_literal(c);
    } else {
      ++at_;
    }
  }

  bool starts(std::string_view prefix) const {
    return std::string_view(text_).substr(at_).starts_with(prefix);
  }

  bool line_is_blank_so_far() const {
    std::size_t i = at_;
    while (i > 0 && text_[i - 1] != '\n') {
      if (text_[--i] != ' ') return false;
    }
    return true;
  }

  void blank_to(std::size_t end) {
    end = std::min(end, text_.size());
    for (; at_ < end; ++at_) {
      if (text_[at_] != '\n') text_[at_] = ' ';
    }
  }

  void blank_past(std::string_view end, std::size_t from) {
    const std::size_t found = text_.find(end, from);
    blank_to(found == std::string::npos ? found : found + end.size());
  }

  void blank_directive() {
    std::size_t end = text_.find('\n', at_);
    while (end != std::string::npos && text_[end - 1] == '\\') end = text_.find('\n', end + 1);
    blank_to(end);
  }

  // The quotes stay, so that an expression remains one.
  void blank_literal(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    ++at_;
    blank_to(end);
    at_ = std::min(at_ + 1, text_.size());
  }

  std::string text_;
  std::size_t at_ = 0;
};

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    lines.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<Include> find_includes(const std::vector<std::string>& lines) {
  std::vector<Include> includes;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (!line.starts_with("#include")) continue;
    const std::size_t open = line.find_first_of("\"<");
    if (open == std::string::npos) continue;
    const std::size_t close = line.find_first_of("\">", open + 1);
    includes.push_back({.line = i + 1,
                        .target = line.substr(open + 1, close - open - 1),
                        .quoted = line[open] == '"'});
  }
  return includes;
}

}  // namespace

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  for (std::size_t at = text.find(word, from); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool starts = at == 0 || !is_word(text[at - 1]);
    const bool ends = end == text.size() || !is_word(text[end]);
    if (starts && ends) return at;
  }
  return std::string_view::npos;
}

std::vector<std::string> read_lines(const std::filesystem::path& file) {
  return split_lines(read_text(file));
}

SourceFile read_source(const std::filesystem::path& root, const std::string& path) {
  const std::string text = read_text(root / path);
  SourceFile file;
  file.path = path;
  if (path.starts_with("src/")) {
    const std::size_t end = path.find('/', 4);
    if (end != std::string::npos) file.layer = path.substr(4, end - 4);
  }
  file.lines = split_lines(text);
  file.code = split_lines(Stripper(text).run());
  file.includes = find_includes(file.lines);
  return file;
}

}  // namespace tidy

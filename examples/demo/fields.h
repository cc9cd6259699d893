#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace demo {

// Parent and nodes talk in lines of fields with tabs between them.
inline std::vector<std::string> split(std::string_view line, char separator) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == separator) {
      fields.emplace_back();
    } else {
      fields.back().push_back(c);
    }
  }
  return fields;
}

inline std::string line_of(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) line += (line.empty() ? "" : "\t") + field;
  return line + "\n";
}

}  // namespace demo

#pragma once

#include <string_view>

namespace dynamo {

enum class LogLevel { debug, info, warning, error };

// One line for the application's log. The library writes to no stream of its own: without
// Components::log it is silent. Lines name nodes, stores and reasons, never the bytes of objects.
//
// Thread safety: the callback is called from the library's threads, one line at a time, under no
// lock. `text` is valid during the call only.
struct LogRecord {
  LogLevel level = LogLevel::info;
  std::string_view text{};
};

}  // namespace dynamo

// #include lines against the layer table: a layer's own headers, those of the layers below it that
// cmake/layers.txt names, and of the outside world what its row of `kRestricted` allows.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "rules.h"

namespace tidy {
namespace {

using Layers = std::vector<std::string_view>;

// The algorithms: no I/O, no clock, no thread, no chance.
const Layers kCore = {"base", "causality", "ring", "wire", "coordinator", "repair", "node"};

struct Restricted {
  std::string_view prefix;
  Layers allowed;  // these layers only
};

// The first row that fits decides, so the narrower prefix stands first.
const std::vector<Restricted> kRestricted = {
    {"asio.hpp", {}},
    {"asio/ip/", {"runtime", "transport"}},
    {"asio/local/", {"runtime", "transport"}},
    {"asio/posix/", {"runtime", "transport"}},
    {"asio/basic_", {"runtime", "transport"}},
    {"asio/steady_timer", {"runtime", "transport"}},
    {"asio/system_timer", {"runtime", "transport"}},
    {"asio/high_resolution_timer", {"runtime", "transport"}},
    {"asio/deadline_timer", {"runtime", "transport"}},
    {"asio/signal_set", {}},
    {"asio/co_spawn", {}},
    {"asio/awaitable", {}},
    {"asio/", {"host", "runtime", "transport", "store", "assembly", "testing"}},
    {"lmdb.h", {"storage"}},
    {"xxhash.h", {"base"}},
    {"openssl/", {"base"}},
    {"absl/container/flat_hash", {}},
    {"absl/container/node_hash", {}},
    {"absl/synchronization/", {}},
    {"absl/hash/", {}},
    {"absl/time/", {}},
    {"absl/log/", {}},
    {"absl/flags/", {}},
};

// The one file of the core that asks the system for something: to be told of a fork.
constexpr std::string_view kForkWatch = "src/base/process_generation.cc";
// And the one that locks: what strands that work at the same time share.
constexpr std::string_view kStrandsLock = "src/base/optional_mutex.h";

// Nothing of this in the core.
const std::vector<std::string_view> kNotInCore = {
    "thread", "mutex",    "shared_mutex", "condition_variable", "future",  "semaphore",
    "latch",  "barrier",  "random",       "iostream",           "fstream", "filesystem",
    "ctime",  "csignal",  "time.h",       "unistd.h",           "sys/",    "netinet/",
    "arpa/",  "pthread.h"};

bool contains(const Layers& layers, std::string_view layer) {
  return std::find(layers.begin(), layers.end(), layer) != layers.end();
}

// A prefix that ends in '/' or '_' matches what begins with it, any other the whole name or the
// name before its suffix.
bool fits(std::string_view target, std::string_view prefix) {
  if (!target.starts_with(prefix)) return false;
  const bool open_ended = prefix.ends_with('/') || prefix.ends_with('_');
  return open_ended || target.size() == prefix.size() || target[prefix.size()] == '.' ||
         target[prefix.size()] == '_';
}

// Public headers that include asio, directly or not: the core may not include these either.
std::set<std::string> headers_with_asio(const Tree& tree) {
  std::set<std::string> found;
  for (bool grown = true; grown;) {
    grown = false;
    for (const SourceFile& file : tree.files) {
      if (!file.path.starts_with("include/")) continue;
      for (const Include& include : file.includes) {
        if (!include.target.starts_with("asio") && !found.contains(include.target)) continue;
        grown |= found.insert(file.path.substr(8)).second;
      }
    }
  }
  return found;
}

std::string quoted_error(const Tree& tree, const SourceFile& file, const std::string& target) {
  const std::size_t slash = target.find('/');
  if (slash == std::string::npos) return "write \"layer/file.h\", not \"" + target + "\"";
  const std::string other = target.substr(0, slash);
  if (other == file.layer) return "";
  if (!tree.layers.contains(other)) return "no layer '" + other + "' in cmake/layers.txt";
  if (tree.layers.at(file.layer).contains(other)) return "";
  return file.layer + " may not include " + other;
}

std::string bracket_error(const SourceFile& file, const std::string& target,
                          const std::set<std::string>& with_asio) {
  for (const Restricted& row : kRestricted) {
    if (!fits(target, row.prefix)) continue;
    if (contains(row.allowed, file.layer)) return "";
    return file.layer + " may not include <" + target + ">";
  }
  if (!contains(kCore, file.layer)) return "";
  for (const std::string_view banned : kNotInCore) {
    if (target == "pthread.h" && file.path == kForkWatch) continue;
    if (target == "mutex" && file.path == kStrandsLock) continue;
    if (fits(target, banned)) return file.layer + " may not include <" + target + ">";
  }
  if (with_asio.contains(target)) {
    return file.layer + " may not include <" + target + ">, which includes asio";
  }
  return "";
}

}  // namespace

std::vector<Violation> check_layers(const Tree& tree) {
  const std::set<std::string> with_asio = headers_with_asio(tree);
  std::vector<Violation> violations;
  for (const SourceFile& file : tree.files) {
    if (file.layer.empty()) continue;
    if (!tree.layers.contains(file.layer)) {
      violations.push_back({file.path, 1, "layers", "no layer '" + file.layer + "'"});
      continue;
    }
    for (const Include& include : file.includes) {
      const std::string error = include.quoted ? quoted_error(tree, file, include.target)
                                               : bracket_error(file, include.target, with_asio);
      if (!error.empty()) violations.push_back({file.path, include.line, "layers", error});
    }
  }
  return violations;
}

}  // namespace tidy

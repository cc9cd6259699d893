#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <dynamo/storage_engine.h>

#include "testing/broken_rule.h"

namespace dynamo::testing {

// An engine beside the std::map that it should be: the map is the specification.
//
// Thread safety: one thread at a time.
class ModelledEngine {
 public:
  // Absent keys that were present once hold nothing.
  using Records = std::map<std::string, std::optional<std::string>, std::less<>>;

  explicit ModelledEngine(StorageEngine& engine, Records records = {})
      : engine_(engine), records_(std::move(records)) {}

  StorageEngine& engine() { return engine_; }

  // Applies the batch to both.
  absl::Status write(std::span<const StorageEngine::Write> batch);
  absl::Status put(std::string_view key, std::string_view record);
  absl::Status erase(std::string_view key);

  // OK if the engine scans and reads as the map does, also the keys that were erased.
  absl::Status agrees() const;

  // OK if a read of `key`, or a scan from `from` that stops after `limit` keys, gives what the map
  // has, and calls its visitor as often.
  absl::Status agrees_on_read(std::string_view key) const;
  absl::Status agrees_on_scan(std::string_view from, std::size_t limit) const;

  const Records& records() const { return records_; }

 private:
  StorageEngine& engine_;
  Records records_;
};

}  // namespace dynamo::testing

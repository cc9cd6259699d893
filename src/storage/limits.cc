#include "storage/limits.h"

#include <cstddef>
#include <string>

#include <fmt/format.h>

namespace dynamo::storage {

absl::Status check_key(std::string_view key) {
  if (key.empty()) {
    return absl::InvalidArgumentError("an engine key must not be empty");
  }
  if (key.size() > StorageEngine::key_bytes_max) {
    return absl::InvalidArgumentError(
        fmt::format("an engine key has {} bytes, more than the limit of {}", key.size(),
                    StorageEngine::key_bytes_max));
  }
  return absl::OkStatus();
}

absl::Status check_batch(std::span<const StorageEngine::Write> batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const StorageEngine::Write& write = batch[i];
    if (absl::Status key = check_key(write.key); !key.ok()) return key;
    if (write.record && write.record->size() > StorageEngine::record_bytes_max) {
      return absl::InvalidArgumentError(
          fmt::format("record {} of {} in a batch has {} bytes, more than the limit of {}", i + 1,
                      batch.size(), write.record->size(), StorageEngine::record_bytes_max));
    }
  }
  return absl::OkStatus();
}

std::string_view scan_bound(std::string_view from) {
  return from.substr(0, StorageEngine::key_bytes_max + 1);
}

}  // namespace dynamo::storage

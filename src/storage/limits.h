#pragma once

#include <span>
#include <string_view>

#include <absl/status/status.h>
#include <dynamo/storage_engine.h>

// The ranges of StorageEngine, refused alike by every engine of ours.
namespace dynamo::storage {

// INVALID_ARGUMENT that names the size and the limit if `key` is empty or too long.
absl::Status check_key(std::string_view key);

// The same for all keys and records of a batch; names the first that is out of range.
absl::Status check_batch(std::span<const StorageEngine::Write> batch);

// The bound of a scan, cut to what can matter: no key is longer than key_bytes_max, so a bound of
// one byte more sorts among the keys just as any longer one that begins with it.
std::string_view scan_bound(std::string_view from);

}  // namespace dynamo::storage

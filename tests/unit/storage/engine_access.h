#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <dynamo/storage/lmdb.h>
#include <dynamo/storage_engine.h>

// A StorageEngine one key at a time, as tests like it.
namespace test {

inline absl::Status put(dynamo::StorageEngine& engine, std::string_view key,
                        std::string_view record) {
  const std::array<dynamo::StorageEngine::Write, 1> batch{{{.key = key, .record = record}}};
  return engine.write(batch);
}

inline absl::Status erase(dynamo::StorageEngine& engine, std::string_view key) {
  const std::array<dynamo::StorageEngine::Write, 1> batch{{{.key = key, .record = std::nullopt}}};
  return engine.write(batch);
}

// The record; "(absent)" or the error in its place.
inline std::string get(dynamo::StorageEngine& engine, std::string_view key) {
  std::string seen;
  const auto found = engine.read(key, [&](std::string_view record) { seen = record; });
  if (!found.ok()) return found.status().ToString();
  return *found ? seen : "(absent)";
}

inline absl::Status scan_all(dynamo::StorageEngine& engine) {
  return engine.scan({}, [](std::string_view, std::string_view) { return true; });
}

inline absl::StatusOr<std::unique_ptr<dynamo::StorageEngine>> open(
    const std::filesystem::path& path, std::size_t map_bytes_max = std::size_t{1} << 36) {
  return dynamo::lmdb_storage({.path = path, .map_bytes_max = map_bytes_max});
}

// LMDB by itself.
inline absl::StatusOr<std::unique_ptr<dynamo::StorageEngine>> open_without_log(
    const std::filesystem::path& path, std::size_t map_bytes_max = std::size_t{1} << 36) {
  return dynamo::lmdb_storage({.path = path, .map_bytes_max = map_bytes_max, .log_bytes_max = 0});
}

// The text of a status: absl's string_view is not the standard's everywhere.
inline std::string message(const absl::Status& status) { return std::string(status.message()); }

}  // namespace test

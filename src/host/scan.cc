#include "host/scan.h"

#include <utility>
#include <vector>

namespace dynamo::host {

absl::StatusOr<std::string> scan_merged(
    const ObjectBuffer& buffer, StorageEngine& engine, std::string_view from, std::size_t limit,
    absl::FunctionRef<void(std::string_view, std::string_view)> visit) {
  const std::vector<Content> newer = buffer.range(from, limit);
  auto next = newer.begin();
  std::size_t looked_at = 0;  // erased ones too: they cost as much
  std::string last;
  const auto look_at = [&](std::string_view key, const std::string_view* record) {
    ++looked_at;
    last = key;
    if (record != nullptr) visit(key, *record);
  };
  const auto look_at_newer = [&] {
    const std::optional<std::string_view> record = next->record();
    look_at(next->key(), record ? &*record : nullptr);
    ++next;
  };
  const absl::Status status = engine.scan(from, [&](std::string_view key, std::string_view record) {
    while (looked_at < limit && next != newer.end() && next->key() < key) look_at_newer();
    if (looked_at == limit) return false;
    if (next != newer.end() && next->key() == key) {
      look_at_newer();
    } else {
      look_at(key, &record);
    }
    return looked_at < limit;
  });
  if (!status.ok()) return status;
  while (looked_at < limit && next != newer.end()) look_at_newer();
  if (looked_at < limit) return std::string();
  return last + '\0';  // the least key behind it
}

}  // namespace dynamo::host

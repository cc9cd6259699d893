#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/export.h>

namespace dynamo {

// An ordered map from bytes to bytes that survives crashes (paper, 5: engines are chosen by object
// size). It knows nothing of versions or rings: the node brings checksums, versions and layout.
//
// Keys are 1 to 128 bytes, ordered as unsigned bytes, a prefix first; records are 0 bytes to 80
// MiB.
//
// Errors of all methods: RESOURCE_EXHAUSTED (disk or map full: nothing was changed, try again
// later), DATA_LOSS (the engine can no longer be trusted and must not be used on), INVALID_ARGUMENT
// (a key or record out of range, by name: nothing was changed), FAILED_PRECONDITION (in a child
// process after fork).
//
// Thread safety: read() and scan() from any thread, several at once, also during write(); write()
// from one thread at a time. Visitors must not call back into the engine.
class DYNAMO_EXPORT StorageEngine {
 public:
  static constexpr std::size_t key_bytes_max = 128;
  static constexpr std::size_t record_bytes_max = std::size_t{80} << 20;

  // One change of a batch.
  struct Write {
    std::string_view key;
    std::optional<std::string_view> record;  // nullopt erases
  };

  virtual ~StorageEngine() = default;

  // Calls `visit` with the record of `key` and returns true, or returns false if there is none. The
  // record is valid during the call only.
  virtual absl::StatusOr<bool> read(std::string_view key,
                                    absl::FunctionRef<void(std::string_view record)> visit) = 0;

  // Applies the whole batch or nothing; on stable storage once it returns OK. Several writes of one
  // key: the last wins.
  virtual absl::Status write(std::span<const Write> batch) = 0;

  // Visits keys in order, from the first that is not less than `from` (any bytes, also none or more
  // than a key may have), until `visit` returns false or the end. Sees one state of the map
  // throughout; keep it short, for an engine may keep old pages while it runs.
  virtual absl::Status scan(
      std::string_view from,
      absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) = 0;
};

}  // namespace dynamo

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <dynamo/storage_engine.h>

#include "host/object_buffer.h"

namespace dynamo::host {

// As core::RecordReader::scan(): the engine's records, with what the buffer says of them instead.
//
// The buffer is looked at first: what leaves it meanwhile has reached the engine.
//
// Thread safety: any thread.
absl::StatusOr<std::string> scan_merged(
    const ObjectBuffer& buffer, StorageEngine& engine, std::string_view from, std::size_t limit,
    absl::FunctionRef<void(std::string_view key, std::string_view record)> visit);

}  // namespace dynamo::host

#pragma once

#include <absl/status/status.h>
#include <dynamo/storage_engine.h>

namespace dynamo::testing {

// Reads and scans in several threads while one writes: a scan sees whole batches and never an older
// state than the one before it, and a record stays what it is while it is visited. Ends with the
// first thing that is found wrong. REQUIRES: an empty engine.
absl::Status readers_see_whole_batches(StorageEngine& engine);

}  // namespace dynamo::testing

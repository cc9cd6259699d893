#pragma once

#include <memory>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/storage_engine.h>

// The contract of StorageEngine as a program, for the author of an engine. Belongs to no test
// framework: OK means that the engine keeps the contract as far as was tried, any other status
// names the rule that was broken, with the values. About a second on a disk that syncs quickly.
namespace dynamo::testing {

// Makes an engine; called when the one before is gone.
using MakeEngine = absl::FunctionRef<absl::StatusOr<std::unique_ptr<StorageEngine>>()>;

// Reads, batches, scans, limits, and readers during writes. `make_engine` makes a new, empty engine
// each time, with room for 64 MiB.
//
// Thread safety: any thread; runs threads of its own while it lasts.
absl::Status storage_engine_check(MakeEngine make_engine);

// For engines that keep data: what was written is there, and what was erased is not, when the
// engine is made anew. `make_at_same_place` makes an empty engine the first time, and then one of
// the same data.
//
// Thread safety: any thread.
absl::Status storage_engine_reopen_check(MakeEngine make_at_same_place);

}  // namespace dynamo::testing

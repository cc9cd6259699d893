#pragma once

#include <memory>

#include <dynamo/export.h>
#include <dynamo/storage_engine.h>

namespace dynamo {

// Keeps everything in memory and loses it with the object: for tests, and for stores whose replicas
// are enough. To a cluster such a node comes back from a restart as one that has lost its disk.
DYNAMO_EXPORT std::unique_ptr<StorageEngine> memory_storage();

}  // namespace dynamo

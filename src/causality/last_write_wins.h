#pragma once

#include <dynamo/reconciler.h>

namespace dynamo::core {

// Whether the reconciler is the marker that last_write_wins() returns. Null is not.
bool is_last_write_wins(const Reconciler* reconciler);

}  // namespace dynamo::core

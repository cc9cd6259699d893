#pragma once

namespace dynamo::detail {

// Whether this thread is inside a handler or a reconciler.
bool in_handler();

}  // namespace dynamo::detail

#pragma once

#include <memory>
#include <vector>

#include <asio/any_io_executor.hpp>

#include "host/environment.h"

namespace dynamo::runtime {

// The real world: asio timers, a thread for what blocks, and either the library's own threads or
// the application's executor.
//
//   own threads:       dyn-loop (turns, timers, sockets), as many as asked for, dyn-call (handlers
//                      and reconcilers), dyn-flush (commits)
//   an io_context:     turns, timers, sockets and handlers on it; dyn-flush
//   another executor:  turns and handlers on it; dyn-loop (timers, sockets), dyn-flush
//
// Callers that block do the work of dyn-loop while they wait, if there is one and they come one
// after the other (runtime/loop.h); but never what calls the application or the membership.
//
// A commit blocks for as long as the disk takes, so it has a thread of its own in any case. Threads
// block all signals that are not faults, and have names.
class AsioEnvironment : public host::Environment {
 public:
  // Where sockets should run, spread over them: executors of io_contexts.
  virtual std::vector<asio::any_io_executor> io_executors() const = 0;
};

// `executor`: the application's, or empty. `loops`: how many threads take turns, 1 with an
// executor.
std::unique_ptr<AsioEnvironment> make_asio_environment(asio::any_io_executor executor,
                                                       int loops = 1);

}  // namespace dynamo::runtime

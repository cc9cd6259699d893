#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include <sys/types.h>

#include <asio/io_context.hpp>

#include "speed/sample.h"

// A closed loop: as many operations in flight as asked for, each followed by the next.
namespace bench {

// The numbers of keys, uniformly and the same in every run.
//
// Thread safety: one thread at a time.
class Keys {
 public:
  Keys(std::uint64_t count, std::uint64_t seed) : count_(count), state_(seed * 2 + 1) {}
  std::uint64_t next();

 private:
  const std::uint64_t count_;
  std::uint64_t state_;
};

struct Load {
  int in_flight = 1;
  double seconds = 0.5;
  double warm_up_seconds = 0.1;  // not counted
};

// Begins one operation on that key, and calls `done` when it has succeeded. Whatever fails ends the
// program: a benchmark of failures would be a fine figure.
using Start = std::function<void(std::uint64_t key, std::function<void()> done)>;

// Runs the load on `io`, which the operations need and nobody else runs. Counts the processor time
// of this process and of `others`.
Sample run_load(asio::io_context& io, const Load& load, Keys& keys, std::span<const pid_t> others,
                const Start& start);

// The same with operations that block the caller.
Sample run_blocking(const Load& load, Keys& keys, std::span<const pid_t> others,
                    const std::function<void(std::uint64_t key)>& operation);

// Operations per second of that many threads, each with an operation of its own.
double run_threads(int threads, const Load& load, std::uint64_t key_count,
                   const std::function<std::function<void(std::uint64_t key)>()>& make_operation);

// Processor time that the processes have had so far, this one included, in seconds.
double cpu_seconds(std::span<const pid_t> others);

}  // namespace bench

#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <sys/types.h>

#include <asio/io_context.hpp>

#include "speed/sample.h"

// A closed loop: as many operations in flight as asked for, each followed by the next.
namespace bench {

// The numbers of keys, the same in every run. Uniformly; or zipfian, as YCSB draws them: the k-th
// most popular of them with a probability that goes with k to the power of -0.99, and popular ones
// anywhere among the others.
//
// Thread safety: one thread at a time.
class Keys {
 public:
  enum class Popularity { uniform, zipfian };

  Keys(std::uint64_t count, std::uint64_t seed, Popularity popularity = Popularity::uniform);
  std::uint64_t next();

 private:
  std::uint64_t draw();
  double draw_share();  // 0 to 1, 1 excluded

  std::uint64_t count_;
  std::uint64_t state_;
  Popularity popularity_;
  double zeta_ = 0;  // the sum of all k^-0.99
  double eta_ = 0;
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

// Begins the operations 0 to `count` - 1, so many at a time, and returns when all are done.
void run_each(asio::io_context& io, std::uint64_t count, std::size_t in_flight, const Start& start);

// The same as run_load() with operations that block the caller.
Sample run_blocking(const Load& load, Keys& keys, std::span<const pid_t> others,
                    const std::function<void(std::uint64_t key)>& operation);

// Operations per second of that many threads, each with an operation of its own.
double run_threads(int threads, const Load& load, std::uint64_t key_count,
                   const std::function<std::function<void(std::uint64_t key)>()>& make_operation);

// The time that this share of them did not exceed; 0 if there are none. Changes their order.
double percentile(std::vector<float>& times, double share);

// Processor time that the processes have had so far, this one included, in seconds.
double cpu_seconds(std::span<const pid_t> others);

}  // namespace bench

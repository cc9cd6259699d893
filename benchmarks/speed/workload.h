#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <dynamo/dynamo.h>
#include <asio/io_context.hpp>

#include "speed/cluster.h"
#include "speed/load.h"
#include "speed/suite.h"

namespace bench {

// "key:000000000000" and so on, of 16 bytes.
std::vector<std::string> key_names(std::uint64_t count);

// A cluster, the keys it is filled with, and what is done to them from the loop of its node.
//
// Thread safety: one thread at a time.
class Workload {
 public:
  // Fills the cluster, whose node runs on `io`. `names` outlive it; `keys` are drawn of so many.
  Workload(asio::io_context& io, Cluster& cluster, const std::vector<std::string>& names,
           std::string object, Keys keys);

  void draw_from(Keys keys) { keys_ = keys; }

  Sample gets(const dynamo::Store& store, const Load& load);
  Sample puts(const dynamo::Store& store, const Load& load);
  // One put in `each` operations, the others gets.
  Sample mix(const dynamo::Store& store, const Load& load, int each);
  // Every operation reads a key, and writes it with the context that the read returned.
  Sample read_and_write(const dynamo::Store& store, const Load& load);
  // puts(), and then until nothing waits for the disk. Counts how many records the flusher commits
  // at once.
  Sample buffered_puts(const dynamo::Store& store, const Load& load);

  // The flusher's, in the last buffered_puts().
  double records_a_batch() const { return records_a_batch_; }

 private:
  using Done = std::function<void()>;

  void get(const dynamo::Store& store, std::uint64_t key, Done done);
  void put(const dynamo::Store& store, std::uint64_t key, Done done);
  // Two puts at once of one key would make siblings, which are not measured here: of the keys from
  // this one on, the first that no put is under way of. Now one is.
  std::uint64_t claim(std::uint64_t key);

  asio::io_context& io_;
  Cluster& cluster_;
  const std::vector<std::string>& names_;
  const std::string object_;
  Keys keys_;
  std::vector<dynamo::Context> contexts_;  // by key: of its last put
  std::vector<bool> busy_;                 // by key: a put of it is under way
  double records_a_batch_ = 1;
};

// "get, NAME" and "put buffered, NAME" of that workload, 64 in flight.
void add_get_and_put(std::vector<Probe>& probes, Workload& work, const dynamo::Store& buffered,
                     const Scale& scale, std::string_view name);

// Samples that need a steady state: so many flush intervals, after one that does not count.
Load steady(int in_flight, double flushes);

}  // namespace bench

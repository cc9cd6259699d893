#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <dynamo/dynamo.h>
#include <asio/io_context.hpp>

#include "speed/child.h"
#include "speed/cluster.h"
#include "speed/etcd.h"
#include "speed/floor.h"
#include "speed/load.h"
#include "speed/raw_engine.h"
#include "speed/redis.h"
#include "speed/suite.h"
#include "speed/workload.h"

namespace bench {

// Everything that is measured, up and filled: the clusters, the floors, the raw engine.
class Bench {
 public:
  // `all_processors`: for what is measured on several; everything else keeps to the last of them.
  Bench(std::string program, const std::filesystem::path& directory, const Scale& scale,
        std::vector<int> all_processors);

  // The library's own come first: the flusher's batch size is needed by what is compared with it.
  std::vector<Probe> probes();
  // The same operations once more, and those of the peers. Starts the peers, whose processes take
  // from the processor's caches even while they do nothing.
  std::vector<Probe> peer_probes();

 private:
  void add_library_probes(std::vector<Probe>& probes);
  void add_floor_probes(std::vector<Probe>& probes);
  void add_parallel_probes(std::vector<Probe>& probes);
  void add_peer_probes(std::vector<Probe>& probes);
  void add_stopped_probes(std::vector<Probe>& probes);
  Sample on_all_processors(const std::function<double()>& measure) const;
  Load load(int in_flight) const { return {.in_flight = in_flight, .seconds = scale_.seconds}; }
  void start_peers();

  const Scale scale_;
  const std::filesystem::path directory_;
  const std::vector<int> all_processors_;
  const std::vector<std::string> names_;  // of the keys
  const std::string object_;
  asio::io_context io_{1};
  Keys keys_;

  std::vector<int> ports_;
  Child echo_peer_;
  Child floor_b_;
  Child floor_c_;
  Child synced_floor_b_;
  Child synced_floor_c_;
  const std::vector<pid_t> echo_pids_;
  const std::vector<pid_t> floor_pids_;
  const std::vector<pid_t> synced_floor_pids_;
  EchoClient echo_;
  FloorNode floor_;
  FloorNode synced_floor_;
  RawEngine raw_;
  // Null: not installed.
  std::unique_ptr<Redis> redis_;
  std::unique_ptr<Redis> redis_synced_;
  std::unique_ptr<Etcd> etcd_;
  Cluster on_loop_;   // runs on io_, as in an application that lends its loop
  Cluster threaded_;  // has threads of its own
  Workload work_;     // of on_loop_
  dynamo::Store buffered_;
  dynamo::Store synced_;
  dynamo::Store blocking_;
  dynamo::Store local_;
};

}  // namespace bench

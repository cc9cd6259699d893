#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <dynamo/dynamo.h>
#include <asio/io_context.hpp>

#include "speed/child.h"
#include "speed/load.h"

namespace bench {

// What the engine of the load's own node has committed.
struct Commits {
  std::atomic<std::uint64_t> batches{0};
  std::atomic<std::uint64_t> records{0};
};

// Three nodes of the library: one in this process, two in processes of their own.
class Cluster {
 public:
  // `io`: runs the node in this process, by an application that lends its loop; null for a node
  // with threads of its own. `program`: of the two others.
  Cluster(const std::string& program, const std::filesystem::path& directory, asio::io_context* io);

  // A handle on the store that all of them measure with.
  dynamo::Store store(dynamo::Durability durability, int r = 2, int w = 2);
  // Puts all keys, on all three. Returns what the next put of each has to be given.
  std::vector<dynamo::Context> fill(const std::vector<std::string>& keys,
                                    const std::string& object);
  // Returns when nothing waits for the disk any more.
  void settle() const;
  // Runs `measure` while one of the others does not answer, and returns when it has got what it
  // missed meanwhile. REQUIRES: the node runs on the load's loop.
  Sample with_one_stopped(const std::function<Sample()>& measure) const;

  const std::vector<pid_t>& others() const { return others_; }
  const Commits& commits() const { return commits_; }

 private:
  asio::io_context* const io_;
  Commits commits_;
  std::vector<std::unique_ptr<Child>> peers_;
  std::vector<pid_t> others_;
  std::unique_ptr<dynamo::Node> node_;
};

// A node of the library; `members` as "name=address". Prints "ready"; never returns.
void run_node(const std::string& name, const std::filesystem::path& directory,
              const std::vector<std::string>& members);

}  // namespace bench

#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
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
  struct Options {
    // As many partitions as there may be, and so many more members, whom nobody runs and who own
    // next to nothing; none: few partitions.
    std::optional<int> idle{};
    bool gossip = false;  // others can join; else the list of members is fixed
    int loops = 1;        // of the nodes in processes of their own
  };
  // `io`: runs the node in this process, by an application that lends its loop; null for a node
  // with threads of its own. `program`: of the two others.
  Cluster(const std::string& program, const std::filesystem::path& directory, asio::io_context* io,
          const Options& options);
  Cluster(const std::string& program, const std::filesystem::path& directory, asio::io_context* io)
      : Cluster(program, directory, io, Options()) {}

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

  // Returns when all owners hold the same. REQUIRES: the node runs on the load's loop.
  void await_converged() const;
  // One more node, which joins. REQUIRES: gossip.
  void join(const std::string& name);
  // Others do not answer, or do again.
  void stop_one() const;
  void resume_one() const;

  dynamo::Node& node() { return *node_; }
  const std::vector<pid_t>& others() const { return others_; }
  const Commits& commits() const { return commits_; }

 private:
  void add_peer(const std::string& name, const std::vector<std::string>& members);

  const std::string program_;
  const std::filesystem::path directory_;
  asio::io_context* const io_;
  std::vector<std::string> members_;  // as run_node() takes them
  Commits commits_;
  std::vector<std::unique_ptr<Child>> peers_;
  std::vector<pid_t> others_;
  std::unique_ptr<dynamo::Node> node_;
};

// "a=127.0.0.1:PORT" and so on, of three free ports.
std::vector<std::string> loopback_members();
// `members` as run_node() takes them; `io` as Cluster does.
std::unique_ptr<dynamo::Node> start_node(const std::string& name,
                                         const std::filesystem::path& directory,
                                         const std::vector<std::string>& members,
                                         asio::io_context* io, Commits& commits);
// The store that everything is measured with.
dynamo::Store open_store(dynamo::Node& node, dynamo::Durability durability, int r, int w);

// A node of the library; `members` as "name=address", "+N" for so many that nobody runs, "*N" for
// so many loops, "gossip" if the others are seeds. Prints "ready"; never returns.
void run_node(const std::string& name, const std::filesystem::path& directory,
              const std::vector<std::string>& members);

}  // namespace bench

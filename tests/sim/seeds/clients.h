#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <dynamo/testing/sim_cluster.h>

#include "answer_checks.h"
#include "base/prng.h"
#include "findings.h"
#include "ghosts.h"
#include "seed_options.h"

namespace seeds {

// Clients that get, put what they make of what they saw, put blindly, erase, and try again what may
// or may not have happened, each one operation at a time, through a node that it likes.
//
// REQUIRES: outlived by the cluster's events, or stopped and drained first.
//
// Thread safety: one thread.
class Clients {
 public:
  Clients(dynamo::testing::SimCluster& cluster, Ghosts& ghosts, AnswerChecks& answers,
          Findings& findings, const SeedOptions& options);

  void start();
  // No client begins anything new.
  void stop() { stopped_ = true; }
  // Nothing is under way.
  bool idle() const { return running_ == 0; }
  std::uint64_t operations() const { return operations_; }

 private:
  struct Session {
    dynamo::Context context{};
    Seen seen{};
  };
  struct Client {
    int number = 0;
    int home = 0;
    dynamo::core::Prng prng{0};
    std::map<int, Session> sessions{};  // by key
  };
  // A write on its way, and what its retries need.
  struct Attempt {
    int write = 0;
    dynamo::Context context{};
    dynamo::WriteOptions options{};
    int node = 0;
  };

  void rest(Client& client);
  void act(Client& client);
  void get(Client& client, int key, bool at_least);
  void write(Client& client, int key, bool is_delete);
  void send(Client& client, Attempt attempt);
  void answered(Client& client, const Attempt& attempt,
                const absl::StatusOr<dynamo::PutResult>& result);
  void settle_failure(Client& client, const Attempt& attempt, const absl::Status& status);
  void through_text(Client& client, int key);
  void try_damaged(Client& client, int key, const std::string& text);
  std::optional<dynamo::Store> open(Client& client, int& node);
  void note(const Client& client, int key, const std::function<std::string()>& text);
  void done(Client& client) {
    --running_;
    rest(client);
  }

  dynamo::testing::SimCluster& cluster_;
  Ghosts& ghosts_;
  AnswerChecks& answers_;
  Findings& findings_;
  const SeedOptions& options_;
  std::vector<Client> clients_;
  int running_ = 0;
  std::uint64_t operations_ = 0;
  bool stopped_ = false;
};

}  // namespace seeds

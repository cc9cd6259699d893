#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <dynamo/testing/sim_cluster.h>

#include "base/prng.h"
#include "findings.h"
#include "seed_options.h"

namespace seeds {

// Who hears of faults: the checkers that have to know what is gone.
struct FaultListener {
  std::function<void(int node)> disk_lost{};
  std::function<void(int node)> going_down{};
};

// What goes wrong, and when: a stream of chance for each class, so that a class that is switched
// off leaves the others as they were.
//
// Whatever it does, the promises survive (testing.md 3.1), so that every failure is a bug:
//
//   - One disk at a time is lost, by wiping, by going back in time, or a record of it by rot. The
//   next
//     one only after all owners have been seen equal, and all lost disks rebuilt. Where one node is
//     enough to acknowledge a write (w = 1), the others must have all of it before.
//   - Of a buffered store, processes die one at a time, a few flush intervals apart.
//   - A member that is removed counts as a lost disk from when that is asked for. So many members
//   stay that the quorums can be had.
//
// Thread safety: one thread.
class FaultPlan {
 public:
  FaultPlan(dynamo::testing::SimCluster& cluster, Findings& findings, const SeedOptions& options,
            FaultListener listener);

  // When something happens next.
  std::chrono::nanoseconds next() const;
  // Does what is due.
  void act();

  // Ends all faults: everybody is up, reaches everybody, and no clock is wrong any more.
  void calm();
  // As calm(), but these stay down or cut off.
  void calm_but(const std::vector<int>& away);
  // Every lost disk has been taken back and is complete.
  bool all_rebuilt();
  std::uint64_t done() const { return done_; }

 private:
  using Time = std::chrono::nanoseconds;
  struct Computer {
    Time up_at{};       // when a node that is down is started again
    Time resumed_at{};  // last
    std::chrono::nanoseconds clock{};
    bool is_old_copy = false;      // and nobody knows yet what becomes of it
    bool was_old_copy = false;     // and may be refused once those return who know better
    bool write_will_fail = false;  // with DATA_LOSS, and may not have yet
    Time leaves_since{};           // when it was last asked to
    bool is_removed = false;       // or is to be: others are asked to, until it is
    bool is_gone = false;          // and that is known
    std::optional<dynamo::testing::DiskImage> backup{};
  };
  // Something that ends by itself.
  struct Ending {
    Time at{};
    FaultClass fault{};
    int node = 0;
  };

  Time period(FaultClass fault);
  Time draw_duration(FaultClass fault, int most_ms);
  dynamo::core::Prng& prng(FaultClass fault);
  int draw_node(FaultClass fault);
  int down();
  bool may_die(int node);
  bool may_lose_disk(int node);
  void begin(FaultClass fault);
  void begin_on(FaultClass fault, int node);
  void end(const Ending& ending);
  void kill(FaultClass fault, int node);
  void split(dynamo::core::Prng& prng);
  void clog(dynamo::core::Prng& prng);
  void rot(int node);
  void shift_clock(int node);
  void start(int node);
  void judge_old_copy(int node);
  void replace_old_copy(int node);
  bool is_in_service(int node);
  void lose_disk(int node);
  void look_whether_whole();
  void note(const std::string& text);

  // member_changes.cc
  void join();
  void leave(int node);
  void remove(int node);
  bool may_go(int node);
  bool is_leaving(int node);
  bool is_joining(int node);
  void meddle_later(FaultClass change, int node);
  void meddle(FaultClass change, int node);
  void look_at_members();
  void ask_to_remove(int node);
  void begin_afterlife(int node);

  dynamo::testing::SimCluster& cluster_;
  Findings& findings_;
  const SeedOptions& options_;
  const FaultListener listener_;
  std::vector<dynamo::core::Prng> prngs_;  // by class
  std::array<Time, fault_classes> due_{};
  std::vector<Ending> endings_;
  std::vector<Computer> computers_;
  Time last_death_{-1'000'000'000'000};
  int last_dead_ = -1;
  bool disk_is_lost_ = false;  // since all owners were last seen equal
  Time next_look_{};
  Time ask_at_{};  // again to remove whoever is to be removed
  std::uint64_t done_ = 0;
};

}  // namespace seeds

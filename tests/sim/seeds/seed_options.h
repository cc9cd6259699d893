#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <dynamo/store.h>
#include <dynamo/testing/sim_cluster.h>

namespace seeds {

// What a run may have go wrong. Each class can be switched off by name, and draws from a stream of
// its own, so that the others stay as they were.
enum class FaultClass {
  loss,  // the first five are rates of the network, per packet
  duplication,
  reordering,
  replay,
  delay,
  write_error,  // a rate of the disks, per commit
  crash,        // the rest come at times of their own and last for a while
  power_loss,
  pause,
  partition,
  clog,
  full_disk,
  slow_disk,
  data_loss,
  bit_rot,
  wipe,
  old_copy,
  clock,
  join,  // the members change, in half of the seeds
  leave,
  remove,
};
inline constexpr std::size_t fault_classes = static_cast<std::size_t>(FaultClass::remove) + 1;
std::string_view to_string(FaultClass fault);
std::optional<FaultClass> fault_class(std::string_view name);

// What a caller may lay down instead of leaving it to the seed: to make a failure smaller, or a run
// shorter.
struct Overrides {
  std::optional<int> minutes{};
  std::optional<int> nodes{};
  std::optional<int> clients{};
  std::optional<int> keys{};
  std::array<bool, fault_classes> without{};

  // As arguments of the program, each after a blank.
  std::string arguments() const;
};

// All that a run is made of, drawn from its seed ("swarm": every run is another kind of cluster,
// and most leave some faults out, for these hide what the others find).
struct SeedOptions {
  std::uint64_t seed = 1;
  std::chrono::seconds duration{600};  // of the phase with faults

  int nodes = 5;
  int partitions = 8;
  dynamo::StoreOptions store{};
  bool last_write_wins = false;
  std::size_t hint_bytes_max = std::size_t{1} << 20;
  // By turns: everything is read from the disk, a little is in memory, all is.
  std::size_t record_cache_bytes() const { return seed % 3 * (std::size_t{32} << 10); }
  // By turns as well: how many loops each node has. Where nodes differ, packets are divided.
  std::vector<int> threads() const {
    if (seed % 4 < 2) return {1};
    return seed % 4 == 2 ? std::vector{2} : std::vector{3, 1, 2};
  }
  double clock_drift = 0;

  int keys = 10;
  int clients = 4;
  std::chrono::milliseconds think{100};  // between two operations of a client, in the mean
  double put_share = 0.4;                // of the operations; the rest reads and erases
  double erase_share = 0.1;
  double blind_share = 0.1;   // puts without a context
  double ttl_share = 0;       // puts that expire
  double retry_share = 0.5;   // writes of unknown outcome that are tried again, under the same id
  double cookie_share = 0.1;  // contexts that go through text, and some of them through damage
  std::size_t object_bytes_max = 64;

  dynamo::testing::SimNetwork network{};
  dynamo::testing::SimDisk disk{};
  // Between two faults of a class, in the mean; zero: none.
  std::array<std::chrono::milliseconds, fault_classes> period{};
  int down_max = 1;  // nodes that are down at once

  int zones = 0;          // that nodes are spread over; 0: each has its own
  int members_min = 0;    // so many stay, whoever leaves or is removed
  int computers_max = 0;  // those that have gone, too

  bool has(FaultClass fault) const {
    return period[static_cast<std::size_t>(fault)] > std::chrono::milliseconds(0);
  }
  bool is_elastic() const {
    return has(FaultClass::join) || has(FaultClass::leave) || has(FaultClass::remove);
  }
  // A get that begins after a put was acknowledged sees it (promise P10), as long as no disk is
  // lost.
  bool reads_are_regular() const {
    return !store.sloppy && store.durability == dynamo::Durability::synced &&
           store.quorum.r + store.quorum.w > store.quorum.n;
  }
};

SeedOptions derive_options(std::uint64_t seed, const Overrides& overrides);

// One block for people, a line for each kind of thing.
std::string describe(const SeedOptions& options);

}  // namespace seeds

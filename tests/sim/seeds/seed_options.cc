#include "seed_options.h"

#include <algorithm>
#include <utility>

#include <dynamo/reconciler.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/hash.h"
#include "base/prng.h"

namespace seeds {

using dynamo::core::Prng;
using std::chrono::milliseconds;

namespace {

constexpr std::array<std::string_view, fault_classes> names = {
    "loss",       "duplication", "reordering", "replay", "delay",     "write_error", "crash",
    "power_loss", "pause",       "partition",  "clog",   "full_disk", "slow_disk",   "data_loss",
    "bit_rot",    "wipe",        "old_copy",   "clock",  "join",      "leave",       "remove"};

constexpr std::size_t index(FaultClass fault) { return static_cast<std::size_t>(fault); }

Prng stream(std::uint64_t seed, std::string_view of) {
  return Prng(dynamo::core::hash64(of, seed));
}

// Few are the hard cases: keys that everybody writes, quorums that just overlap.
int between(Prng& prng, int least, int most) {
  return least + static_cast<int>(prng.below(static_cast<std::uint64_t>(most - least + 1)));
}

double share(Prng& prng, double most) {
  return most * static_cast<double>(prng.below(1001)) / 1000;
}

void draw_cluster(Prng prng, const Overrides& overrides, SeedOptions& options) {
  options.nodes = between(prng, 3, prng.chance(0.7) ? 5 : 9);
  options.partitions = prng.chance(0.5) ? 8 : 16;
  dynamo::Quorum& quorum = options.store.quorum;
  quorum.n = prng.chance(0.7) ? 3 : between(prng, 2, 4);
  quorum.w = prng.chance(0.6) ? quorum.n / 2 + 1 : between(prng, 1, quorum.n);
  quorum.r = prng.chance(0.6) ? quorum.n - quorum.w + 1 : between(prng, 1, quorum.n);
  if (overrides.nodes) options.nodes = *overrides.nodes;
  quorum.n = std::min(quorum.n, options.nodes);
  quorum.w = std::min(quorum.w, quorum.n);
  quorum.r = std::min(quorum.r, quorum.n);
  options.store.sloppy = prng.chance(0.6);
  options.last_write_wins = prng.chance(0.25);
  if (options.last_write_wins) options.store.reconciler = dynamo::last_write_wins();
  // A buffered put that one node has taken is lost with that node, and that is no failure.
  const bool buffered = prng.chance(0.2);
  if (buffered && quorum.w >= 2) options.store.durability = dynamo::Durability::buffered;
  options.store.timeout = milliseconds(between(prng, 2, 12) * 100);
  if (prng.chance(0.2))
    options.hint_bytes_max = static_cast<std::size_t>(between(prng, 2, 16)) << 10;
  // With last-write-wins a clock that is 500 ms ahead is refused: less than that in all of a run.
  const double drift = options.last_write_wins ? 0.0002 : 0.01;
  options.clock_drift = prng.chance(0.5) ? drift : 0;
}

void draw_workload(Prng prng, const Overrides& overrides, SeedOptions& options) {
  options.keys = prng.chance(0.4) ? between(prng, 1, 4) : between(prng, 5, 20);
  options.clients = between(prng, 2, 8);
  options.think = milliseconds(prng.chance(0.3) ? between(prng, 20, 100) : between(prng, 200, 800));
  options.put_share = 0.3 + share(prng, 0.3);
  options.erase_share = prng.chance(0.3) ? 0 : share(prng, 0.25);
  options.blind_share = share(prng, 0.2);
  options.ttl_share = prng.chance(0.8) ? 0 : share(prng, 0.2);
  options.retry_share = share(prng, 1.0);
  options.object_bytes_max = prng.chance(0.9) ? 64 : 4096;
  if (overrides.clients) options.clients = *overrides.clients;
  if (overrides.keys) options.keys = *overrides.keys;
}

void draw_network(Prng prng, const Overrides& overrides, SeedOptions& options) {
  const auto rate = [&](FaultClass fault, double most) {
    const bool on = prng.chance(0.6);
    const double drawn = share(prng, prng.chance(0.2) ? most : most / 10);
    return on && !overrides.without[index(fault)] ? drawn : 0.0;
  };
  options.network.loss = rate(FaultClass::loss, 0.3);
  options.network.duplication = rate(FaultClass::duplication, 0.5);
  options.network.reordering = rate(FaultClass::reordering, 0.5);
  options.network.replay = rate(FaultClass::replay, 0.5);
  options.network.latency_mean = milliseconds(prng.chance(0.7) ? 1 : between(prng, 2, 30));
  if (overrides.without[index(FaultClass::delay)]) {
    options.network.latency_mean = options.network.latency_min;
  }
  // Every failed write makes its node draw fresh actors, which histories keep: few will do.
  options.disk.write_error = rate(FaultClass::write_error, 0.01);
  options.disk.torn = share(prng, 1.0);
}

// A buffered write is in the memory of w nodes, so its disks work and its processes die one by one.
bool is_survivable(FaultClass fault, const SeedOptions& options) {
  // An old copy that nobody has told yet takes writes, and is emptied when somebody does: those
  // that it alone has acknowledged are lost with it (seed 500513).
  if (fault == FaultClass::old_copy && options.store.quorum.w < 2) return false;
  if (options.store.durability == dynamo::Durability::synced) return true;
  switch (fault) {
    case FaultClass::full_disk:
    case FaultClass::slow_disk:
    case FaultClass::data_loss:
      return false;
    default:
      return true;
  }
}

void draw_faults(std::uint64_t seed, const Overrides& overrides, SeedOptions& options) {
  // Some runs are dense, some sparse, and most leave something out.
  Prng prng = stream(seed, "faults");
  const int density = prng.chance(0.5) ? 1 : between(prng, 2, 4);
  options.down_max = between(prng, 1, options.nodes);
  for (std::size_t i = index(FaultClass::crash); i <= index(FaultClass::clock); ++i) {
    Prng own = stream(seed, names[i]);
    const auto fault = static_cast<FaultClass>(i);
    const bool on = own.chance(0.6);
    const bool rare =
        fault == FaultClass::wipe || fault == FaultClass::bit_rot || fault == FaultClass::data_loss;
    // An old copy takes two: the backup, and its return.
    const int spread = rare ? 5 : fault == FaultClass::old_copy ? 2 : 1;
    const int mean_ms = between(own, 4'000, 20'000) * spread * density;
    if (!on || overrides.without[i] || !is_survivable(fault, options)) continue;
    options.period[i] = milliseconds(mean_ms);
  }
  if (options.store.durability == dynamo::Durability::buffered) options.disk.write_error = 0;
}

// Reads see what was acknowledged before, all through the run: no disk is lost, and quorums
// overlap. Members come and go all the time, and moves take long, under many writes that not all
// get at once.
void make_regular(Prng prng, const Overrides& overrides, SeedOptions& options) {
  options.store.sloppy = false;
  options.store.durability = dynamo::Durability::synced;
  dynamo::Quorum& quorum = options.store.quorum;
  const std::uint64_t extreme = prng.below(10);
  if (extreme < 3) quorum.w = 1;
  if (extreme >= 6) quorum.w = quorum.n;
  quorum.r = prng.chance(0.8) ? quorum.n - quorum.w + 1 : quorum.n;
  for (const FaultClass loses : {FaultClass::bit_rot, FaultClass::wipe, FaultClass::old_copy}) {
    options.period[index(loses)] = milliseconds(0);
  }
  options.think = milliseconds(between(prng, 20, 80));
  options.disk.write_latency = milliseconds(between(prng, 1, 30));
  const milliseconds latency(between(prng, 2, 15));
  const double loss = 0.02 + share(prng, 0.25);
  if (!overrides.without[index(FaultClass::delay)]) options.network.latency_mean = latency;
  if (!overrides.without[index(FaultClass::loss)]) options.network.loss = loss;
  for (const FaultClass change : {FaultClass::join, FaultClass::leave}) {
    const milliseconds mean(between(prng, 2'000, 8'000));
    if (options.has(change)) options.period[index(change)] = mean;
  }
  options.computers_max += between(prng, 4, 8);
}

// In half of the seeds the members stay the same. A few of the others go down to the fewest members
// that the quorums can do with, which have less than n replicas then.
void draw_changes(Prng prng, const Overrides& overrides, SeedOptions& options) {
  const bool elastic = prng.chance(0.5);
  const dynamo::Quorum& quorum = options.store.quorum;
  const int fewest = prng.chance(0.2) ? std::max(quorum.r, quorum.w) : quorum.n;
  const int more = between(prng, 2, 6);
  const int zones = prng.chance(0.3) ? between(prng, 2, 4) : 0;
  const int mean_ms = between(prng, 8'000, 40'000);
  const bool regular = prng.chance(0.4);
  for (const FaultClass change : {FaultClass::join, FaultClass::leave, FaultClass::remove}) {
    const bool on = prng.chance(0.8);
    const int times = change == FaultClass::remove ? 2 : 1;
    if (regular && change == FaultClass::remove) continue;
    if (!elastic || !on || overrides.without[index(change)]) continue;
    options.period[index(change)] = milliseconds(mean_ms * times);
  }
  if (!elastic) return;
  options.zones = zones;
  options.members_min = std::max(fewest, 3);  // of two, neither can be replaced
  options.computers_max = options.nodes + more;
  if (regular) make_regular(prng, overrides, options);
  options.members_min = std::max({options.members_min, quorum.r, quorum.w});
}

}  // namespace

std::string_view to_string(FaultClass fault) { return names[index(fault)]; }

std::optional<FaultClass> fault_class(std::string_view name) {
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) return std::nullopt;
  return static_cast<FaultClass>(at - names.begin());
}

std::string Overrides::arguments() const {
  std::string text;
  if (minutes) text += fmt::format(" --minutes {}", *minutes);
  if (nodes) text += fmt::format(" --nodes {}", *nodes);
  if (clients) text += fmt::format(" --clients {}", *clients);
  if (keys) text += fmt::format(" --keys {}", *keys);
  std::string list;
  for (std::size_t i = 0; i < fault_classes; ++i) {
    if (without[i]) list += fmt::format("{}{}", list.empty() ? "" : ",", names[i]);
  }
  if (!list.empty()) text += " --without " + list;
  return text;
}

SeedOptions derive_options(std::uint64_t seed, const Overrides& overrides) {
  SeedOptions options{.seed = seed};
  options.duration = std::chrono::minutes(overrides.minutes.value_or(10));
  draw_cluster(stream(seed, "cluster"), overrides, options);
  draw_workload(stream(seed, "workload"), overrides, options);
  draw_network(stream(seed, "network"), overrides, options);
  draw_faults(seed, overrides, options);
  draw_changes(stream(seed, "members"), overrides, options);
  return options;
}

std::string describe(const SeedOptions& options) {
  const dynamo::StoreOptions& store = options.store;
  std::string faults;
  for (std::size_t i = 0; i < fault_classes; ++i) {
    if (options.period[i] == milliseconds(0)) continue;
    faults +=
        fmt::format(" {}/{:.0f}s", names[i], static_cast<double>(options.period[i].count()) / 1000);
  }
  std::string members;
  if (options.is_elastic()) {
    members = fmt::format("  members   {} or more of {} computers, {}\n", options.members_min,
                          options.computers_max,
                          options.zones == 0 ? "no zones" : fmt::format("{} zones", options.zones));
  }
  return fmt::format(
      "seed {}: {} s\n"
      "  cluster   {} nodes, loops {}, Q={}, n={} r={} w={}, {}, {}, {}, timeout {} ms, hints {} "
      "KiB\n"
      "  workload  {} keys, {} clients, think {} ms, puts {:.2f}, erases {:.2f}, blind {:.2f}, "
      "ttl {:.2f}, retries {:.2f}, objects to {} B\n"
      "  network   loss {:.3f}, duplication {:.3f}, reordering {:.3f}, replay {:.3f}, latency {} "
      "us\n"
      "  disk      write errors {:.4f}, torn {:.2f}\n"
      "  faults   {}; {} nodes down at most, drift {}\n"
      "{}",
      options.seed, options.duration.count(), options.nodes, fmt::join(options.threads(), "+"),
      options.partitions, store.quorum.n, store.quorum.r, store.quorum.w,
      store.sloppy ? "sloppy" : "strict",
      store.durability == dynamo::Durability::synced ? "synced" : "buffered",
      options.last_write_wins ? "last write wins" : "siblings", store.timeout.count(),
      options.hint_bytes_max >> 10, options.keys, options.clients, options.think.count(),
      options.put_share, options.erase_share, options.blind_share, options.ttl_share,
      options.retry_share, options.object_bytes_max, options.network.loss,
      options.network.duplication, options.network.reordering, options.network.replay,
      options.network.latency_mean.count() / 1000, options.disk.write_error, options.disk.torn,
      faults.empty() ? " none" : faults, options.down_max, options.clock_drift, members);
}

}  // namespace seeds

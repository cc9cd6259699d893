#include "speed/probes.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "../../examples/loopback_ports.h"

namespace bench {

namespace {

constexpr std::size_t object_bytes = 100;

std::vector<std::string> peer(const std::string& program, const char* role, int port) {
  return {program, role, std::to_string(port)};
}

std::vector<std::string> synced_peer(const std::string& program, int port,
                                     const std::filesystem::path& directory) {
  return {program, "--floor", std::to_string(port), directory.string()};
}

}  // namespace

Bench::Bench(std::string program, const std::filesystem::path& directory, const Scale& scale,
             std::vector<int> all_processors)
    : scale_(scale),
      directory_(directory),
      all_processors_(std::move(all_processors)),
      names_(key_names(scale.keys)),
      object_(object_bytes, 'x'),
      keys_(scale.keys, 1),
      ports_(example::loopback_ports(5)),
      echo_peer_(peer(program, "--echo", ports_[0]), "ready"),
      floor_b_(peer(program, "--floor", ports_[1]), "ready"),
      floor_c_(peer(program, "--floor", ports_[2]), "ready"),
      synced_floor_b_(synced_peer(program, ports_[3], directory / "floor_b"), "ready"),
      synced_floor_c_(synced_peer(program, ports_[4], directory / "floor_c"), "ready"),
      echo_pids_{echo_peer_.pid()},
      floor_pids_{floor_b_.pid(), floor_c_.pid()},
      synced_floor_pids_{synced_floor_b_.pid(), synced_floor_c_.pid()},
      echo_(io_, ports_[0]),
      floor_(io_, {ports_[1], ports_[2]}),
      synced_floor_(io_, {ports_[3], ports_[4]}, directory / "floor_a"),
      raw_(directory / "raw", names_, object_),
      on_loop_(program, directory / "on_loop", &io_),
      threaded_(program, directory / "threaded", nullptr),
      work_(io_, on_loop_, names_, object_, Keys(scale.keys, 2)),
      buffered_(on_loop_.store(dynamo::Durability::buffered)),
      synced_(on_loop_.store(dynamo::Durability::synced)),
      blocking_(threaded_.store(dynamo::Durability::buffered)),
      local_(threaded_.store(dynamo::Durability::buffered, 1)) {
  floor_.fill(names_, object_);
  synced_floor_.fill(names_, object_);
  threaded_.fill(names_, object_);
}

std::vector<Probe> Bench::probes() {
  std::vector<Probe> probes;
  add_library_probes(probes);
  add_floor_probes(probes);
  add_parallel_probes(probes);
  add_stopped_probes(probes);
  return probes;
}

std::vector<Probe> Bench::peer_probes() {
  start_peers();
  std::vector<Probe> probes;
  const auto beside = [&](const char* name, std::function<Sample()> measure) {
    probes.push_back({fmt::format("{}, beside peers", name), std::move(measure)});
  };
  beside("get, 64", [this] { return work_.gets(buffered_, load(64)); });
  beside("put buffered, 64",
         [this] { return work_.buffered_puts(buffered_, steady(64, scale_.flushes)); });
  beside("put synced, 64", [this] { return work_.puts(synced_, load(64)); });
  add_peer_probes(probes);
  return probes;
}

void Bench::start_peers() {
  if (is_installed("redis-server")) {
    redis_ = std::make_unique<Redis>(io_, directory_ / "redis", false);
    redis_->fill(names_, object_);
    redis_synced_ = std::make_unique<Redis>(io_, directory_ / "redis_synced", true);
  } else {
    fmt::print("no rows against Redis: redis-server (Debian package of that name) is not here\n");
  }
  if (is_installed("etcd")) {
    etcd_ = std::make_unique<Etcd>(io_, directory_ / "etcd");
  } else {
    fmt::print("no rows against etcd: etcd (Debian package etcd-server) is not here\n");
  }
}

void Bench::add_library_probes(std::vector<Probe>& probes) {
  const auto found = [](const absl::StatusOr<dynamo::GetResult>& got) {
    if (!got.ok() || !got->found()) give_up(got.status().ToString());
  };
  probes.push_back({"get, 1", [this] { return work_.gets(buffered_, load(1)); }});
  probes.push_back({"get, 64", [this] { return work_.gets(buffered_, load(64)); }});
  probes.push_back({"put buffered, 64",
                    [this] { return work_.buffered_puts(buffered_, steady(64, scale_.flushes)); }});
  probes.push_back(
      {"flusher's batch", [this] { return Sample{.value = work_.records_a_batch()}; }});
  probes.push_back({"put buffered, 1", [this] {
                      const Sample sample = work_.puts(buffered_, load(1));
                      on_loop_.settle();
                      return sample;
                    }});
  probes.push_back({"put synced, 1", [this] { return work_.puts(synced_, load(1)); }});
  probes.push_back({"put synced, 64", [this] { return work_.puts(synced_, load(64)); }});
  probes.push_back({"blocking get", [this, found] {
                      return run_blocking(
                          load(1), keys_, threaded_.others(),
                          [&](std::uint64_t key) { found(blocking_.get(names_[key])); });
                    }});
  probes.push_back({"local get", [this, found] {
                      return run_blocking(
                          load(1), keys_, threaded_.others(),
                          [&](std::uint64_t key) { found(local_.get(names_[key])); });
                    }});
}

// After the others have noticed.
void Bench::add_stopped_probes(std::vector<Probe>& probes) {
  const Load healthy = load(16);
  const Load stopped = {.in_flight = 16, .seconds = scale_.seconds, .warm_up_seconds = 4};
  probes.push_back({"get, 16", [this, healthy] { return work_.gets(buffered_, healthy); }});
  probes.push_back({"get, 16, one stopped", [this, stopped] {
                      return on_loop_.with_one_stopped(
                          [&] { return work_.gets(buffered_, stopped); });
                    }});
  probes.push_back({"put buffered, 16", [this, healthy] {
                      const Sample sample = work_.puts(buffered_, healthy);
                      on_loop_.settle();
                      return sample;
                    }});
  probes.push_back({"put buffered, 16, one stopped", [this, stopped] {
                      return on_loop_.with_one_stopped(
                          [&] { return work_.puts(buffered_, stopped); });
                    }});
}

// Threads that are made meanwhile may run on all processors; this one, and so all that follows,
// goes back to its own.
Sample Bench::on_all_processors(const std::function<double()>& measure) const {
  pin(all_processors_);
  const Sample sample{.per_second = measure()};
  pin({all_processors_.back()});
  return sample;
}

void Bench::add_parallel_probes(std::vector<Probe>& probes) {
  if (all_processors_.size() < 2) return;
  // One thread in the same loop as two: it takes no times, as the other probes of one do.
  for (const int threads : {1, 2}) {
    const std::string ending = threads == 1 ? "1 thread" : "2 threads";
    probes.push_back({fmt::format("local get, {}", ending), [this, threads] {
                        return on_all_processors([this, threads] {
                          return run_threads(threads, load(1), scale_.keys, [this] {
                            return [this](std::uint64_t key) {
                              if (!local_.get(names_[key]).ok()) give_up("a local get has failed");
                            };
                          });
                        });
                      }});
    probes.push_back({fmt::format("LMDB get, {}", ending), [this, threads] {
                        return on_all_processors(
                            [this, threads] { return raw_.gets_of(threads, load(1)); });
                      }});
  }
}

void Bench::add_peer_probes(std::vector<Probe>& probes) {
  using Done = std::function<void()>;
  using Operation = std::function<void(const std::string& key, Done done)>;
  const auto add = [&](const char* name, const std::vector<pid_t>& pids, Operation operation) {
    probes.push_back({name, [this, &pids, operation = std::move(operation)] {
                        return run_load(io_, load(64), keys_, pids, [&](auto key, Done done) {
                          operation(names_[key], std::move(done));
                        });
                      }});
  };
  const auto puts_to = [&](const char* name, auto& to) {
    add(name, to.pids(),
        [this, &to](const std::string& key, Done done) { to.put(key, object_, std::move(done)); });
  };
  if (redis_ != nullptr) {
    add("Redis get, 64", redis_->pids(),
        [this](const std::string& key, Done done) { redis_->get(key, std::move(done)); });
    add("Redis get, pipelined, 64", redis_->pids(),
        [this](const std::string& key, Done done) { redis_->get_pipelined(key, std::move(done)); });
    puts_to("Redis put, WAIT 1, 64", *redis_);
    puts_to("Redis put, synced, WAIT 1, 64", *redis_synced_);
  }
  if (etcd_ != nullptr) puts_to("etcd put, 64", *etcd_);
}

void Bench::add_floor_probes(std::vector<Probe>& probes) {
  for (const int in_flight : {1, 64}) {
    const Load load = this->load(in_flight);
    probes.push_back({fmt::format("echo, {}", in_flight), [this, load] {
                        return run_load(io_, load, keys_, echo_pids_, [this](auto, auto done) {
                          echo_.ping(object_, std::move(done));
                        });
                      }});
    probes.push_back({fmt::format("floor get, {}", in_flight), [this, load] {
                        return run_load(io_, load, keys_, floor_pids_, [this](auto key, auto done) {
                          floor_.get(names_[key], std::move(done));
                        });
                      }});
    probes.push_back({fmt::format("floor put, {}", in_flight), [this, load] {
                        return run_load(io_, load, keys_, floor_pids_, [this](auto key, auto done) {
                          floor_.put(names_[key], object_, std::move(done));
                        });
                      }});
  }
  probes.push_back({"floor put, synced, 64", [this] {
                      return run_load(io_, load(64), keys_, synced_floor_pids_,
                                      [this](auto key, auto done) {
                                        synced_floor_.put(names_[key], object_, std::move(done));
                                      });
                    }});
  probes.push_back({"LMDB get", [this] { return raw_.gets(load(1), keys_); }});
  probes.push_back({"LMDB synced, one", [this] { return raw_.synced_writes(load(1), keys_, 1); }});
  probes.push_back({"LMDB synced, batches as ours", [this] {
                      return raw_.synced_writes(load(1), keys_,
                                                static_cast<std::size_t>(work_.records_a_batch()));
                    }});
}

}  // namespace bench

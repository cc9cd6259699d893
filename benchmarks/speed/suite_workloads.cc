#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "../../examples/loopback_ports.h"
#include "speed/child.h"
#include "speed/floor.h"
#include "speed/suites.h"
#include "speed/workload.h"

namespace bench {

namespace {

using Done = std::function<void()>;

// Objects of one size, in a cluster and in the floor.
struct Side {
  Side(const Setting& setting, const std::string& name, std::uint64_t count, std::size_t bytes,
       asio::io_context& loop)
      : names(key_names(count)),
        object(bytes, 'x'),
        cluster(setting.program, setting.directory / name, &loop),
        work(loop, cluster, names, object, Keys(count, 1)),
        ports(example::loopback_ports(2)),
        floor_b({setting.program, "--floor", std::to_string(ports[0])}, "ready"),
        floor_c({setting.program, "--floor", std::to_string(ports[1])}, "ready"),
        floor_pids{floor_b.pid(), floor_c.pid()},
        floor(loop, ports),
        keys(count, 1),
        io(loop) {
    floor.fill(names, object);
  }

  // One put in `each`; 0: none.
  Sample on_floor(const Load& load, int each) {
    int operations = 0;
    return run_load(io, load, keys, floor_pids, [&](std::uint64_t key, Done done) {
      const bool puts = each > 0 && ++operations % each == 0;
      if (puts) return floor.put(names[key], object, std::move(done));
      floor.get(names[key], std::move(done));
    });
  }
  Sample read_and_write_on_floor(const Load& load) {
    return run_load(io, load, keys, floor_pids, [&](std::uint64_t key, Done done) {
      floor.get(names[key], [this, key, done = std::move(done)]() mutable {
        floor.put(names[key], object, std::move(done));
      });
    });
  }
  void draw_from(const Keys& drawn) {
    keys = drawn;
    work.draw_from(drawn);
  }

  const std::vector<std::string> names;
  const std::string object;
  Cluster cluster;
  Workload work;
  const std::vector<int> ports;
  Child floor_b;
  Child floor_c;
  const std::vector<pid_t> floor_pids;
  FloorNode floor;
  Keys keys;
  asio::io_context& io;
};

// What is asked for besides objects of 100 bytes under uniform keys, each against the floor.
class Workloads final : public Suite {
 public:
  explicit Workloads(const Setting& setting)
      : scale_(setting.scale),
        small_(setting, "small", scale_.keys, 100, io_),
        medium_(setting, "medium", scale_.keys / 5 + 1, 1024, io_),
        large_(setting, "large", scale_.keys / 100 + 1, 65536, io_) {}

  std::vector<Probe> probes() override {
    std::vector<Probe> probes;
    for (const int in_flight : {1, 16, 64, 256}) {
      add(probes, fmt::format("100 B, {} in flight", in_flight), small_, in_flight);
    }
    add(probes, "1 KiB, 64 in flight", medium_, 64);
    add(probes, "64 KiB, 64 in flight", large_, 64);
    add_zipfian(probes);
    add_mixes(probes);
    add_quorums(probes);
    return probes;
  }

  std::vector<Row> rows() const override {
    std::vector<Row> rows;
    const auto row = [&](const std::string& subject, const std::string& baseline) {
      rows.push_back(quotient(fmt::format("{}, CPU", subject), baseline, 0, 0, &Sample::cpu_us,
                              subject, baseline));
    };
    for (const char* name :
         {"100 B, 1 in flight", "100 B, 16 in flight", "100 B, 64 in flight",
          "100 B, 256 in flight", "1 KiB, 64 in flight", "64 KiB, 64 in flight", "zipfian keys"}) {
      for (const char* operation : {"get", "put buffered"}) {
        row(fmt::format("{}, {}", operation, name), fmt::format("floor {}, {}", operation, name));
      }
      row(fmt::format("put synced, {}", name), fmt::format("floor put buffered, {}", name));
    }
    for (const char* name : {"YCSB A", "YCSB B", "YCSB C", "YCSB F"}) {
      row(name, fmt::format("floor {}", name));
    }
    row("get r=1 n=3", "floor get, 100 B, 64 in flight");
    row("put w=1 buffered", "floor put buffered, 100 B, 64 in flight");
    row("put w=3 buffered", "floor put buffered, 100 B, 64 in flight");
    return rows;
  }

 private:
  Load load(int in_flight) const { return {.in_flight = in_flight, .seconds = scale_.seconds}; }

  // Gets and puts, and the floor's. A buffered put's flush is not waited for: this is the work that
  // requests have with one another.
  void add(std::vector<Probe>& probes, const std::string& name, Side& side, int in_flight) {
    const Load load = this->load(in_flight);
    const dynamo::Store store = side.cluster.store(dynamo::Durability::buffered);
    probes.push_back({fmt::format("get, {}", name),
                      [&side, load, store] { return side.work.gets(store, load); }});
    probes.push_back({fmt::format("put buffered, {}", name),
                      [&side, load, store] { return side.work.buffered_puts(store, load); }});
    const dynamo::Store synced = side.cluster.store(dynamo::Durability::synced);
    probes.push_back({fmt::format("put synced, {}", name),
                      [&side, load, synced] { return side.work.puts(synced, load); }});
    probes.push_back(
        {fmt::format("floor get, {}", name), [&side, load] { return side.on_floor(load, 0); }});
    probes.push_back({fmt::format("floor put buffered, {}", name),
                      [&side, load] { return side.on_floor(load, 1); }});
  }

  // Draws keys as YCSB does while `measure` runs.
  std::function<Sample()> zipfian(std::function<Sample()> measure) {
    return [this, measure = std::move(measure)] {
      small_.draw_from(zipfian_);
      const Sample sample = measure();
      small_.draw_from(Keys(scale_.keys, 1));
      return sample;
    };
  }

  void add_zipfian(std::vector<Probe>& probes) {
    std::vector<Probe> added;
    add(added, "zipfian keys", small_, 64);
    for (Probe& probe : added) probes.push_back({probe.name, zipfian(std::move(probe.measure))});
  }

  // The core workloads of YCSB, with zipfian keys: A updates half of the time, B one time in 20, C
  // never, F reads and writes back in every operation.
  void add_mixes(std::vector<Probe>& probes) {
    const Load load = this->load(64);
    const dynamo::Store store = small_.cluster.store(dynamo::Durability::buffered);
    const auto add = [&](const char* name, std::function<Sample()> ours,
                         std::function<Sample()> floor) {
      probes.push_back({name, zipfian(std::move(ours))});
      probes.push_back({fmt::format("floor {}", name), zipfian(std::move(floor))});
    };
    const auto mix = [&](const char* name, int each) {
      add(
          name, [this, load, store, each] { return settled(small_.work.mix(store, load, each)); },
          [this, load, each] { return small_.on_floor(load, each); });
    };
    mix("YCSB A", 2);
    mix("YCSB B", 20);
    add(
        "YCSB C", [this, load, store] { return small_.work.gets(store, load); },
        [this, load] { return small_.on_floor(load, 0); });
    add(
        "YCSB F", [this, load, store] { return settled(small_.work.read_and_write(store, load)); },
        [this, load] { return small_.read_and_write_on_floor(load); });
  }

  void add_quorums(std::vector<Probe>& probes) {
    const Load load = this->load(64);
    const auto store = [&](int r, int w) {
      return small_.cluster.store(dynamo::Durability::buffered, r, w);
    };
    probes.push_back(
        {"get r=1 n=3", [this, load, one = store(1, 3)] { return small_.work.gets(one, load); }});
    probes.push_back({"put w=1 buffered", [this, load, one = store(1, 1)] {
                        return small_.work.buffered_puts(one, load);
                      }});
    probes.push_back({"put w=3 buffered", [this, load, all = store(1, 3)] {
                        return small_.work.buffered_puts(all, load);
                      }});
  }

  Sample settled(const Sample& sample) const {
    small_.cluster.settle();
    return sample;
  }

  const Scale scale_;
  asio::io_context io_{1};
  Side small_;
  Side medium_;
  Side large_;
  const Keys zipfian_{scale_.keys, 1, Keys::Popularity::zipfian};
};

}  // namespace

std::unique_ptr<Suite> workloads_suite(const Setting& setting) {
  return std::make_unique<Workloads>(setting);
}

}  // namespace bench

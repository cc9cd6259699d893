#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "speed/child.h"
#include "speed/suites.h"
#include "speed/workload.h"

namespace bench {

namespace {

// Memory of the process that no file is behind, in bytes. What LMDB maps is not among it.
double anonymous_memory(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string name;
    double kibibytes = 0;
    if (words >> name >> kibibytes && name == "RssAnon:") return kibibytes * 1024;
  }
  give_up(fmt::format("process {} has no memory", pid));
}

// A cluster with many keys beside one with a few.
class ManyKeys final : public Suite {
 public:
  explicit ManyKeys(const Setting& setting)
      : scale_(setting.scale),
        few_(setting, "few", setting.scale.keys, io_),
        many_(setting, "many", setting.scale.keys * 50, io_) {}

  std::vector<Probe> probes() override {
    std::vector<Probe> probes;
    add(probes, few_, "few keys");
    add(probes, many_, "many keys");
    for (Probe& probe : probes) {
      probe.measure = [this, measure = std::move(probe.measure)] {
        come_to_rest();
        return measure();
      };
    }
    probes.push_back({"memory of a node, bytes a key, many keys", [this] {
                        return Sample{.value = anonymous_memory(many_.cluster.others().front()) /
                                               static_cast<double>(many_.names.size())};
                      }});
    return probes;
  }

  std::vector<Row> rows() const override {
    const auto row = [](const char* operation, double must, double aim) {
      return quotient(fmt::format("{}, CPU, 64 in flight, 50 times the keys", operation),
                      "the keys of the main rows", must, aim, &Sample::cpu_us,
                      fmt::format("{}, many keys", operation),
                      fmt::format("{}, few keys", operation));
    };
    return {row("get", 2.0, 1.5), row("put synced", 2.0, 1.5), row("put buffered", 3.0, 2.0),
            figure("memory of a node, bytes a key, 50 times the keys", 32, 32, &Sample::value,
                   "memory of a node, bytes a key, many keys")};
  }

 private:
  struct Side {
    Side(const Setting& setting, const char* name, std::uint64_t count, asio::io_context& io)
        : names(key_names(count)),
          cluster(setting.program, setting.directory / name, &io),
          work(io, cluster, names, std::string(100, 'x'), Keys(count, 1)),
          buffered(cluster.store(dynamo::Durability::buffered)),
          synced(cluster.store(dynamo::Durability::synced)) {
      fmt::print("{} keys are in\n", count);
      std::fflush(stdout);
    }

    const std::vector<std::string> names;
    Cluster cluster;
    Workload work;
    dynamo::Store buffered;
    dynamo::Store synced;
  };

  void add(std::vector<Probe>& probes, Side& side, const char* name) const {
    add_get_and_put(probes, side.work, side.buffered, scale_, name);
    // As long as buffered ones: several logs fill up meanwhile, and go to LMDB.
    const Load load = steady(64, scale_.flushes);
    probes.push_back({fmt::format("put synced, {}", name),
                      [&side, load] { return side.work.puts(side.synced, load); }});
  }

  // What the puts before have left to the flushers belongs to those, and not to what comes next. A
  // node of each cluster is in this process.
  void come_to_rest() {
    constexpr auto look = std::chrono::milliseconds(500);
    constexpr double busy = 0.05;  // seconds of processor time meanwhile
    constexpr int looks_max = 120;
    std::vector<pid_t> others = few_.cluster.others();
    others.insert(others.end(), many_.cluster.others().begin(), many_.cluster.others().end());
    for (int i = 0; i < looks_max; ++i) {
      const double before = cpu_seconds(others);
      io_.restart();
      io_.run_for(look);
      if (cpu_seconds(others) - before < busy) return;
    }
  }

  const Scale scale_;
  asio::io_context io_{1};
  Side few_;
  Side many_;
};

}  // namespace

std::unique_ptr<Suite> many_keys_suite(const Setting& setting) {
  return std::make_unique<ManyKeys>(setting);
}

}  // namespace bench

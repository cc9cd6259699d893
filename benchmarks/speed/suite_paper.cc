#include <string>
#include <utility>
#include <vector>

#include "speed/front.h"
#include "speed/suites.h"
#include "speed/workload.h"

namespace bench {

namespace {

// What the paper measured of its own system, as ratios.
class Paper final : public Suite {
 public:
  explicit Paper(const Setting& setting)
      : scale_(setting.scale),
        names_(key_names(setting.scale.keys)),
        cluster_(setting.program, setting.directory / "here", &io_),
        work_(io_, cluster_, names_, object_, Keys(names_.size(), 1)),
        buffered_(cluster_.store(dynamo::Durability::buffered)),
        synced_(cluster_.store(dynamo::Durability::synced)),
        fronts_(io_, setting.program, setting.directory / "there") {
    fronts_.fill(names_, object_);
  }

  std::vector<Probe> probes() override {
    const Load load{.in_flight = 16, .seconds = scale_.seconds};
    const Load steady = bench::steady(16, scale_.flushes / 2);
    return {
        {"read, in the application", [this, load] { return work_.gets(buffered_, load); }},
        {"read, random node",
         [this, load] {
           return run_load(io_, load, keys_, fronts_.pids(), [this](auto key, auto done) {
             fronts_.get(names_[key], std::move(done));
           });
         }},
        {"read and write, in the application",
         [this, load] { return work_.read_and_write(buffered_, load); }},
        {"read and write, random node",
         [this, load] {
           return run_load(io_, load, keys_, fronts_.pids(), [this](auto key, auto done) {
             fronts_.read_and_write(names_[key], object_, std::move(done));
           });
         }},
        {"put buffered, steady", [this, steady] { return work_.buffered_puts(buffered_, steady); }},
        {"put synced, steady", [this, steady] { return work_.puts(synced_, steady); }},
    };
  }

  std::vector<Row> rows() const override {
    const auto row = [](const char* operation, const char* against, double Sample::*field,
                        const char* subject, const char* baseline) {
      return quotient(operation, against, 0, 0, field, subject, baseline);
    };
    return {
        row("read by a random node, p50", "coordinated in the application's process",
            &Sample::p50_us, "read, random node", "read, in the application"),
        row("the same, p99.9", "paper, Table 2: 2.3", &Sample::p999_us, "read, random node",
            "read, in the application"),
        row("read and write by a random node, p50", "coordinated in the application's process",
            &Sample::p50_us, "read and write, random node", "read and write, in the application"),
        row("the same, p99.9", "paper, Table 2: 2.3", &Sample::p999_us,
            "read and write, random node", "read and write, in the application"),
        row("put synced, p50", "buffered", &Sample::p50_us, "put synced, steady",
            "put buffered, steady"),
        row("put synced, p99.9", "buffered; paper, figure 5: 5", &Sample::p999_us,
            "put synced, steady", "put buffered, steady"),
    };
  }

 private:
  const Scale scale_;
  const std::string object_ = std::string(100, 'x');
  const std::vector<std::string> names_;
  asio::io_context io_{1};
  Keys keys_{scale_.keys, 4};
  Cluster cluster_;
  Workload work_;
  const dynamo::Store buffered_;
  const dynamo::Store synced_;
  Fronts fronts_;
};

}  // namespace

std::unique_ptr<Suite> paper_suite(const Setting& setting) {
  return std::make_unique<Paper>(setting);
}

}  // namespace bench

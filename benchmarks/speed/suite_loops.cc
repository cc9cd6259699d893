#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "speed/child.h"
#include "speed/suites.h"
#include "speed/workload.h"

namespace bench {

namespace {

constexpr int several = 4;

// A node by itself, which callers on all processors put to: no socket is in the way.
class Alone {
 public:
  Alone(const Setting& setting, int loops)
      : setting_(setting), names_(key_names(setting.scale.keys)) {
    dynamo::NodeOptions options{.name = "alone", .threads = loops};
    options.data_dir = setting.directory / fmt::format("alone{}", loops);
    options.listen = "127.0.0.1:0";
    dynamo::Components parts;
    parts.membership = dynamo::fixed_membership({{.name = "alone", .address = "127.0.0.1:0"}});
    auto node = dynamo::Node::start(options, std::move(parts));
    if (!node.ok()) give_up(node.status().ToString());
    node_ = std::make_unique<dynamo::Node>(*std::move(node));
    auto store = node_->open("bench", {.quorum = {.n = 1, .r = 1, .w = 1},
                                       .reconciler = dynamo::last_write_wins(),
                                       .durability = dynamo::Durability::buffered});
    if (!store.ok()) give_up(store.status().ToString());
    store_ = *std::move(store);
  }

  Sample puts(int threads) const {
    pin(setting_.all_processors);
    const Load load{.seconds = setting_.scale.seconds};
    const double per_second = run_threads(threads, load, names_.size(), [this] {
      return [this](std::uint64_t key) {
        if (!store_->put(names_[key], dynamo::Context(), object_).ok()) give_up("a put has failed");
      };
    });
    pin({setting_.all_processors.back()});
    return {.per_second = per_second};
  }

 private:
  const Setting setting_;
  const std::vector<std::string> names_;
  const std::string object_ = std::string(100, 'x');
  std::unique_ptr<dynamo::Node> node_;
  std::optional<dynamo::Store> store_;
};

// Nodes with several loops beside such with one: what the loops cost where one processor is all
// there is, and what they bring where there are more.
class ManyLoops final : public Suite {
 public:
  explicit ManyLoops(const Setting& setting)
      : setting_(setting),
        names_(key_names(setting.scale.keys)),
        one_(*this, "one", 1),
        several_(*this, "several", several),
        alone_with_one_(setting, 1),
        alone_with_several_(setting, several) {}

  std::vector<Probe> probes() override {
    std::vector<Probe> probes;
    add_get_and_put(probes, one_.work, one_.buffered, setting_.scale, "1 loop");
    add_get_and_put(probes, several_.work, several_.buffered, setting_.scale, "4 loops");
    if (setting_.all_processors.size() < 2) return probes;
    for (const int threads : {1, 2}) {
      const std::string name = fmt::format("blocking put, {} callers", threads);
      probes.push_back({name + ", 1 loop", [=, this] { return alone_with_one_.puts(threads); }});
      probes.push_back(
          {name + ", 4 loops", [=, this] { return alone_with_several_.puts(threads); }});
    }
    return probes;
  }

  std::vector<Row> rows() const override {
    const auto cpu = [](const char* operation) {
      return quotient(fmt::format("{}, CPU, 64 in flight, two nodes with 4 loops", operation),
                      "1 loop", 0, 0, &Sample::cpu_us, fmt::format("{}, 4 loops", operation),
                      fmt::format("{}, 1 loop", operation));
    };
    const auto faster = [](const char* operation, const char* subject, const char* baseline) {
      return quotient(operation, baseline, 0, 0, &Sample::per_second, subject, baseline);
    };
    return {
        cpu("get"),
        cpu("put buffered"),
        faster("blocking put n=1, 2 callers on 2 processors", "blocking put, 2 callers, 1 loop",
               "blocking put, 1 callers, 1 loop"),
        faster("the same, 4 loops", "blocking put, 2 callers, 4 loops",
               "blocking put, 2 callers, 1 loop"),
    };
  }

 private:
  // The load's node has the load's loop, the two others as many as that.
  struct Side {
    Side(ManyLoops& suite, const char* name, int loops)
        : cluster(suite.setting_.program, suite.setting_.directory / name, &suite.io_,
                  {.loops = loops}),
          buffered(cluster.store(dynamo::Durability::buffered)),
          work(suite.io_, cluster, suite.names_, std::string(100, 'x'),
               Keys(suite.names_.size(), 1)) {}

    Cluster cluster;
    dynamo::Store buffered;
    Workload work;
  };

  const Setting setting_;
  asio::io_context io_{1};
  const std::vector<std::string> names_;
  Side one_;
  Side several_;
  Alone alone_with_one_;
  Alone alone_with_several_;
};

}  // namespace

std::unique_ptr<Suite> many_loops_suite(const Setting& setting) {
  return std::make_unique<ManyLoops>(setting);
}

}  // namespace bench

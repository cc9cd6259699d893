#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "speed/child.h"
#include "speed/suites.h"
#include "speed/workload.h"

namespace bench {

namespace {

// A cluster with many members in its view beside one with its three, and with as many partitions.
// The load is on the three in both: of the many nobody runs the others.
class ManyMembers final : public Suite {
 public:
  explicit ManyMembers(const Setting& setting)
      : scale_(setting.scale), three_(setting, "three", 0, io_), many_(setting, "many", 997, io_) {}

  std::vector<Probe> probes() override {
    std::vector<Probe> probes;
    add_get_and_put(probes, three_.work, three_.buffered, scale_, "3 members");
    add_get_and_put(probes, many_.work, many_.buffered, scale_, "1,000 members");
    return probes;
  }

  std::vector<Row> rows() const override {
    const auto row = [](const char* operation) {
      return quotient(fmt::format("{}, CPU, 64 in flight, 1,000 members", operation), "3 members",
                      1.1, 1.02, &Sample::cpu_us, fmt::format("{}, 1,000 members", operation),
                      fmt::format("{}, 3 members", operation));
    };
    return {row("get"), row("put buffered")};
  }

 private:
  struct Side {
    Side(const Setting& setting, const char* name, int idle, asio::io_context& io)
        : cluster(setting.program, setting.directory / name, &io, {.idle = idle}),
          buffered(cluster.store(dynamo::Durability::buffered)),
          names(owned_by_three(buffered, setting.scale.keys)),
          work(io, cluster, names, std::string(100, 'x'), Keys(names.size(), 1)) {}

    // So many keys, without those of which an idle member is an owner.
    static std::vector<std::string> owned_by_three(const dynamo::Store& store,
                                                   std::uint64_t count) {
      std::vector<std::string> names = key_names(count + count / 10);
      std::erase_if(names, [&](const std::string& name) {
        return std::ranges::any_of(store.preference_list(name), [](const std::string& owner) {
          return owner.starts_with("idle");
        });
      });
      if (names.size() < count) give_up("idle members own too much");
      names.resize(count);
      return names;
    }

    Cluster cluster;
    dynamo::Store buffered;
    const std::vector<std::string> names;
    Workload work;
  };

  const Scale scale_;
  asio::io_context io_{1};
  Side three_;
  Side many_;
};

}  // namespace

std::unique_ptr<Suite> many_members_suite(const Setting& setting) {
  return std::make_unique<ManyMembers>(setting);
}

}  // namespace bench

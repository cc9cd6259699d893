#include "scale/balance.h"

#include <dynamo/dynamo.h>
#include <dynamo/testing/sim_cluster.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <asio/bind_executor.hpp>

#include "testing/sim_world.h"

namespace bench {
namespace {

constexpr int nodes = 30;
constexpr double off_max = 0.15;
constexpr int visit_writes = 10;
constexpr auto pause_mean = std::chrono::seconds(10);

// What all have in common.
struct Crowd {
  dynamo::testing::SimCluster& cluster;
  std::vector<dynamo::Store> stores{};  // by node
  std::mt19937_64 random{1};
  int keys = 0;
  double requests = 0;
  std::map<std::string, double> load{};

  void count(const dynamo::Outcome& outcome) {
    ++requests;
    for (const dynamo::ReplicaReport& replica : outcome.replicas) ++load[replica.node];
  }
};

// One after the other in the same place. The simulation ends before they do.
class Person {
 public:
  explicit Person(Crowd& crowd) : crowd_(crowd) {}

  void think() {
    if (written_ == visit_writes || key_.empty()) {
      key_ = fmt::format("cart {}", ++crowd_.keys);
      written_ = 0;
    }
    const double seconds = std::exponential_distribution<double>(
        1.0 / std::chrono::duration<double>(pause_mean).count())(crowd_.random);
    auto& scheduler = crowd_.cluster.world().context().scheduler();
    const auto pause = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
    scheduler.schedule(scheduler.after(pause), [this] { read(); });
  }

 private:
  const dynamo::Store& any_store() {
    std::uniform_int_distribution<std::size_t> any(0, crowd_.stores.size() - 1);
    return crowd_.stores[any(crowd_.random)];
  }
  void read() {
    any_store().async_get(key_, asio::bind_executor(crowd_.cluster.executor(), [this](auto got) {
                            if (!got.ok()) throw std::runtime_error(got.status().ToString());
                            crowd_.count(got->outcome);
                            write(std::move(got->context));
                          }));
  }
  void write(dynamo::Context context) {
    any_store().async_put(key_, context, "object",
                          asio::bind_executor(crowd_.cluster.executor(), [this](auto put) {
                            if (!put.ok()) throw std::runtime_error(put.status().ToString());
                            crowd_.count(put->outcome);
                            ++written_;
                            think();
                          }));
  }

  Crowd& crowd_;
  std::string key_{};
  int written_ = 0;
};

BalanceRow measure(int people, int minutes, int periods) {
  dynamo::testing::SimOptions options{.nodes = nodes};
  options.node.partitions = 1024;
  dynamo::testing::SimCluster cluster(options);
  Crowd crowd{.cluster = cluster};
  for (int i = 0; i < nodes; ++i) crowd.stores.push_back(cluster.open(i, "carts").value());
  std::vector<std::unique_ptr<Person>> all;
  for (int i = 0; i < people; ++i) {
    all.push_back(std::make_unique<Person>(crowd));
    all.back()->think();
  }
  cluster.run_for(2 * pause_mean);
  BalanceRow row{.people = people};
  for (int i = 0; i < periods; ++i) {
    crowd.load.clear();
    crowd.requests = 0;
    cluster.run_for(std::chrono::minutes(minutes));
    double sum = 0;
    double most = 0;
    for (const auto& [node, load] : crowd.load) {
      sum += load;
      most = std::max(most, load);
    }
    const double mean = sum / nodes;
    const auto off = std::ranges::count_if(crowd.load, [mean](const auto& entry) {
      return std::abs(entry.second / mean - 1) > off_max;
    });
    const auto idle = nodes - static_cast<int>(crowd.load.size());
    row.out_of_balance += static_cast<double>(off + idle) / nodes / periods;
    row.busiest += most / mean / periods;
    row.requests_per_second += crowd.requests / (60.0 * minutes) / periods;
  }
  return row;
}

}  // namespace

std::vector<BalanceRow> measure_balance(int minutes) {
  std::vector<BalanceRow> rows;
  for (const auto& [people, periods] : {std::pair(5, 8), {50, 4}, {500, 1}}) {
    rows.push_back(measure(people, minutes, periods));
  }
  return rows;
}

std::string balance_table(const std::vector<BalanceRow>& rows) {
  std::string text = fmt::format("{:>8} {:>12} {:>15} {:>10}\n", "people", "requests/s",
                                 "out of balance", "busiest");
  for (const BalanceRow& row : rows) {
    text += fmt::format("{:>8} {:>12.1f} {:>14.1f}% {:>10.3f}\n", row.people,
                        row.requests_per_second, 100 * row.out_of_balance, row.busiest);
  }
  return text;
}

std::string balance_json(const std::vector<BalanceRow>& rows) {
  std::string text = "[\n";
  for (const BalanceRow& row : rows) {
    text +=
        fmt::format(R"(  {{"people": {}, "requests_per_second": {:.2f}, "out_of_balance": {:.4f}, )"
                    R"("busiest": {:.4f}}}{})",
                    row.people, row.requests_per_second, row.out_of_balance, row.busiest,
                    &row == &rows.back() ? "\n" : ",\n");
  }
  return text + "]\n";
}

}  // namespace bench

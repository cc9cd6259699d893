#include "scale/coordinators.h"

#include <dynamo/dynamo.h>
#include <dynamo/testing/sim_cluster.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <asio/bind_executor.hpp>

#include "testing/sim_world.h"

namespace bench {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int nodes = 5;
constexpr int writers = 4;
constexpr int keys_a_writer = 25;
constexpr Milliseconds latency_min{0.1};
constexpr Milliseconds latency_mean{1};
constexpr Milliseconds still{30};
constexpr Milliseconds between_stills{1000};

enum class Choice { first_owner, fastest_lately };

// The application's node is the first.
class Trial {
 public:
  Trial(Choice choice, int puts) : choice_(choice), puts_(puts) {
    dynamo::testing::SimOptions options{.nodes = nodes};
    options.network.latency_min = std::chrono::duration_cast<std::chrono::nanoseconds>(latency_min);
    options.network.latency_mean =
        std::chrono::duration_cast<std::chrono::nanoseconds>(latency_mean);
    cluster_ = std::make_unique<dynamo::testing::SimCluster>(options);
    for (int i = 0; i < nodes; ++i) stores_.push_back(cluster_->open(i, "carts").value());
    for (int i = 0; static_cast<int>(keys_.size()) < writers * keys_a_writer; ++i) {
      const std::string key = fmt::format("cart {}", i);
      const std::vector<std::string> owners = owners_of(key);
      if (std::ranges::find(owners, name_of(0)) == owners.end()) keys_.push_back(key);
    }
  }

  CoordinatorRow run() {
    for (int node = 1; node < nodes; ++node) stand_still_some_time(node);
    for (int writer = 0; writer < writers; ++writer) read(writer, 0);
    cluster_->run_until([this] { return static_cast<int>(took_.size()) >= puts_; },
                        std::chrono::hours(24));
    std::ranges::sort(took_);
    const auto at = [this](double part) {
      return took_[static_cast<std::size_t>(part * static_cast<double>(took_.size() - 1))];
    };
    return {.choice = choice_ == Choice::first_owner ? "first owner" : "fastest lately",
            .puts = static_cast<int>(took_.size()),
            .p50_ms = at(0.5),
            .p99_ms = at(0.99),
            .p999_ms = at(0.999)};
  }

 private:
  static std::string name_of(int node) { return dynamo::testing::SimWorld::name_of(node); }
  std::vector<std::string> owners_of(const std::string& key) const {
    std::vector<std::string> owners = stores_[0].preference_list(key);
    owners.resize(3);
    return owners;
  }
  void after(Milliseconds time, std::function<void()> event) {
    auto& scheduler = cluster_->world().context().scheduler();
    const auto duration = std::chrono::duration_cast<std::chrono::nanoseconds>(time);
    scheduler.schedule(scheduler.after(duration), std::move(event));
  }

  void stand_still_some_time(int node) {
    std::exponential_distribution<double> wait(1 / between_stills.count());
    after(Milliseconds(wait(random_)), [this, node] {
      cluster_->pause(node);
      after(still, [this, node] {
        cluster_->resume(node);
        stand_still_some_time(node);
      });
    });
  }

  // What a packet takes.
  Milliseconds hop() {
    std::exponential_distribution<double> wait(1 / (latency_mean - latency_min).count());
    return latency_min + Milliseconds(wait(random_));
  }

  void read(int writer, int i) {
    const std::string& key = keys_[static_cast<std::size_t>(writer * keys_a_writer + i)];
    stores_[0].async_get(key, asio::bind_executor(cluster_->executor(), [=, this](auto got) {
                           if (!got.ok()) throw std::runtime_error(got.status().ToString());
                           write(writer, i, key, std::move(got->context));
                         }));
  }
  // To the owner and back like the packets of the library, which has the choice otherwise.
  void write(int writer, int i, const std::string& key, const dynamo::Context& context) {
    const auto began = cluster_->now();
    const auto done = [=, this] {
      took_.push_back(Milliseconds(cluster_->now() - began).count());
      read(writer, (i + 1) % keys_a_writer);
    };
    if (choice_ == Choice::fastest_lately) return put(0, key, context, done);
    const std::string name = owners_of(key).front();
    int owner = 0;
    while (name_of(owner) != name) ++owner;
    after(hop(), [=, this] { put(owner, key, context, [=, this] { after(hop(), done); }); });
  }
  void put(int node, const std::string& key, const dynamo::Context& context,
           std::function<void()> done) {
    stores_[static_cast<std::size_t>(node)].async_put(
        key, context, "object",
        asio::bind_executor(cluster_->executor(), [done = std::move(done)](auto put) {
          if (!put.ok()) throw std::runtime_error(put.status().ToString());
          done();
        }));
  }

  const Choice choice_;
  const int puts_;
  std::unique_ptr<dynamo::testing::SimCluster> cluster_;
  std::vector<dynamo::Store> stores_;
  std::vector<std::string> keys_;
  std::mt19937_64 random_{1};
  std::vector<double> took_;
};

}  // namespace

std::vector<CoordinatorRow> measure_coordinators(int puts) {
  std::vector<CoordinatorRow> rows;
  for (const Choice choice : {Choice::first_owner, Choice::fastest_lately}) {
    rows.push_back(Trial(choice, puts).run());
  }
  return rows;
}

std::string coordinator_table(const std::vector<CoordinatorRow>& rows) {
  std::string text = fmt::format("{:>16} {:>8} {:>9} {:>9} {:>10}\n", "coordinator", "puts",
                                 "p50, ms", "p99, ms", "p99.9, ms");
  for (const CoordinatorRow& row : rows) {
    text += fmt::format("{:>16} {:>8} {:>9.2f} {:>9.2f} {:>10.2f}\n", row.choice, row.puts,
                        row.p50_ms, row.p99_ms, row.p999_ms);
  }
  return text;
}

std::string coordinator_json(const std::vector<CoordinatorRow>& rows) {
  std::string text = "[\n";
  for (const CoordinatorRow& row : rows) {
    text +=
        fmt::format(R"(  {{"coordinator": "{}", "puts": {}, "p50_ms": {:.3f}, "p99_ms": {:.3f}, )"
                    R"("p999_ms": {:.3f}}}{})",
                    row.choice, row.puts, row.p50_ms, row.p99_ms, row.p999_ms,
                    &row == &rows.back() ? "\n" : ",\n");
  }
  return text + "]\n";
}

}  // namespace bench

#include "scale/versions.h"

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

namespace bench {
namespace {

constexpr int nodes = 5;
constexpr std::size_t shown = 5;

struct Found {
  int reads = 0;
  std::vector<int> versions = std::vector<int>(shown);
};

// Reads a key and writes it, and so on. The simulation ends before it does.
class Writer {
 public:
  Writer(dynamo::testing::SimCluster& cluster, int number, double shared, Found& found)
      : cluster_(cluster),
        store_(cluster.open(number % nodes, "carts").value()),
        own_key_(fmt::format("of writer {}", number)),
        shared_(shared),
        random_(static_cast<std::uint64_t>(number)),
        found_(found) {}

  void read() {
    is_shared_ = std::bernoulli_distribution(shared_)(random_);
    store_.async_get(key(), asio::bind_executor(cluster_.executor(), [this](auto got) {
                       if (!got.ok()) throw std::runtime_error(got.status().ToString());
                       count(got->siblings);
                       write(std::move(got->context));
                     }));
  }

 private:
  const std::string& key() const { return is_shared_ ? shared_key_ : own_key_; }

  void count(std::size_t versions) {
    if (!is_shared_ || versions == 0) return;
    ++found_.reads;
    ++found_.versions[std::min(shown, versions) - 1];
  }

  void write(dynamo::Context context) {
    store_.async_put(key(), context, "object",
                     asio::bind_executor(cluster_.executor(), [this](auto put) {
                       if (!put.ok()) throw std::runtime_error(put.status().ToString());
                       read();
                     }));
  }

  dynamo::testing::SimCluster& cluster_;
  const dynamo::Store store_;
  const std::string shared_key_ = "shared";
  const std::string own_key_;
  const double shared_;
  std::mt19937_64 random_;
  bool is_shared_ = false;
  Found& found_;
};

VersionsRow measure(int writers, double shared, int reads) {
  dynamo::testing::SimOptions options{.nodes = nodes};
  options.network.latency_mean = std::chrono::milliseconds(1);
  dynamo::testing::SimCluster cluster(options);
  Found found;
  std::vector<std::unique_ptr<Writer>> all;
  for (int i = 0; i < writers; ++i) {
    all.push_back(std::make_unique<Writer>(cluster, i, shared, found));
    all.back()->read();
  }
  cluster.run_until([&] { return found.reads >= reads; }, std::chrono::hours(24));
  VersionsRow row{.writers = writers, .shared = shared, .reads = found.reads};
  for (const int count : found.versions) {
    row.versions.push_back(static_cast<double>(count) / static_cast<double>(found.reads));
  }
  return row;
}

}  // namespace

std::vector<VersionsRow> measure_versions(int reads) {
  std::vector<VersionsRow> rows;
  for (const double shared : {1.0, 0.1, 0.01}) {
    for (const int writers : {1, 2, 4, 8, 16}) rows.push_back(measure(writers, shared, reads));
  }
  return rows;
}

std::string versions_table(const std::vector<VersionsRow>& rows) {
  std::string text = fmt::format("{:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "writers",
                                 "shared", "reads", "1", "2", "3", "4", "5 or more");
  for (const VersionsRow& row : rows) {
    text += fmt::format("{:>8} {:>7.0f}% {:>8}", row.writers, 100 * row.shared, row.reads);
    for (const double part : row.versions) text += fmt::format(" {:>8.3f}%", 100 * part);
    text += "\n";
  }
  return text;
}

std::string versions_json(const std::vector<VersionsRow>& rows) {
  std::string text = "[\n";
  for (const VersionsRow& row : rows) {
    text += fmt::format(R"(  {{"writers": {}, "shared": {}, "reads": {}, "versions": [{:.6f}]}}{})",
                        row.writers, row.shared, row.reads, fmt::join(row.versions, ", "),
                        &row == &rows.back() ? "\n" : ",\n");
  }
  return text + "]\n";
}

}  // namespace bench

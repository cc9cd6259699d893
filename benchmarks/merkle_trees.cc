// What the Merkle trees cost: write throughput with and without them, the walk that makes them
// after an open, and their memory.
//
//   dynamo_bench_merkle_trees [--keys N] [--engine lmdb|memory] [--directory DIR]
//
// One machine of a cluster of one is driven by hand, so that nothing but the write path is
// measured: read, version set, record, tree, and one engine batch for every 64 puts, as group
// commit makes them under load.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <dynamo/storage/lmdb.h>
#include <dynamo/storage/memory.h>
#include <fmt/format.h>

#include "base/prng.h"
#include "node/machine.h"

namespace {

using namespace dynamo::core;
using Clock = std::chrono::steady_clock;

constexpr std::size_t batch_puts = 64;
constexpr std::size_t object_bytes = 100;

struct Options {
  std::uint64_t keys = 1'000'000;
  std::string engine = "lmdb";
  std::string directory = "merkle_trees.data";
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double resident_mib() {
  std::ifstream status("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  status >> total >> resident;
  return static_cast<double>(resident) * 4096 / (1 << 20);
}

// A machine, its engine and the buffer between them.
class Node final : public RecordReader {
 public:
  Node(dynamo::StorageEngine& engine, bool with_trees) : engine_(engine) {
    machine_ = std::make_unique<Machine>(
        NodeIdentity{.name = "a", .identity = {1, 1}, .partitions = 256, .boot = 1},
        NodeSettings{.cluster_label = "bench", .with_trees = with_trees, .seed = 1});
    step(ViewChanged{{.number = 1, .cluster = {7, 7}, .members = {{.name = "a", .address = "a"}}}});
  }

  void put(const std::string& key) {
    step(ClientPut{.request = ++request_,
                   .store = {.name = "bench", .n = 1},
                   .key = key,
                   .object = std::string(object_bytes, 'x'),
                   .siblings_max = 1024,
                   .deadline = TimePoint::max()});
    if (request_ % batch_puts == 0) flush();
  }
  void flush() {
    std::vector<dynamo::StorageEngine::Write> writes;
    for (const auto& [key, record] : buffer_) writes.push_back({key, *record});
    if (!engine_.write(writes).ok()) std::abort();
    buffer_.clear();
    step(BatchWritten{std::exchange(written_, {})});
  }
  // Ticks, without their pauses, until every tree is made; returns how many, and the longest.
  std::pair<int, double> build() {
    int ticks = 0;
    double longest = 0;
    while (!machine_->state().trees.complete()) {
      const auto start = Clock::now();
      now_ += RecordTrees::pause;
      step(Tick{});
      longest = std::max(longest, seconds_since(start));
      ++ticks;
    }
    return {ticks, longest};
  }
  const RecordTrees& trees() const { return machine_->state().trees; }

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> visit) const override {
    const auto at = buffer_.find(key);
    if (at == buffer_.end()) return engine_.read(key, visit);
    if (*at->second) visit(**at->second);
    return at->second->has_value();
  }
  absl::StatusOr<std::string> scan(
      std::string_view from, std::size_t limit,
      absl::FunctionRef<void(std::string_view, std::string_view)> visit) const override {
    std::string next;
    const absl::Status status =
        engine_.scan(from, [&](std::string_view key, std::string_view record) {
          if (limit-- == 0) {
            next = key;
            return false;
          }
          visit(key, record);
          return true;
        });
    if (!status.ok()) return status;
    return next;
  }
  std::string full() const override { return {}; }

 private:
  void step(Event event) {
    Actions actions;
    machine_->step({now_, 1}, std::move(event), *this, actions);
    machine_->end_turn({now_, 1}, actions);
    for (WriteRecord& write : actions.writes) {
      written_.push_back(write.write);
      buffer_.insert_or_assign(
          std::move(write.key),
          std::make_shared<const std::optional<std::string>>(std::move(write.record)));
    }
  }

  dynamo::StorageEngine& engine_;
  std::unique_ptr<Machine> machine_;
  std::map<std::string, std::shared_ptr<const std::optional<std::string>>, std::less<>> buffer_;
  std::vector<std::uint64_t> written_;
  std::uint64_t request_ = 0;
  TimePoint now_{std::chrono::seconds(1)};
};

std::unique_ptr<dynamo::StorageEngine> open_engine(const Options& options,
                                                   const std::string& name) {
  if (options.engine == "memory") return dynamo::memory_storage();
  const std::filesystem::path path = std::filesystem::path(options.directory) / name;
  std::filesystem::create_directories(path);
  auto engine = dynamo::lmdb_storage({.path = path, .map_bytes_max = std::size_t{1} << 36});
  if (!engine.ok()) {
    fmt::print(stderr, "{}\n", engine.status().ToString());
    std::exit(1);
  }
  return *std::move(engine);
}

std::string key_of(std::uint64_t number) { return fmt::format("user:{:012}", number); }

// The puts of one round, alternating between the two nodes so that both see the same disk.
struct Rates {
  double with = 0;
  double without = 0;
};
template <class Key>
Rates measure(Node& with, Node& without, std::uint64_t puts, Key key) {
  constexpr std::uint64_t slice = 4096;
  double took_with = 0;
  double took_without = 0;
  for (std::uint64_t done = 0; done < puts; done += slice) {
    const std::uint64_t end = std::min(done + slice, puts);
    for (Node* node : {&with, &without}) {
      const auto start = Clock::now();
      for (std::uint64_t i = done; i < end; ++i) node->put(key(i));
      (node == &with ? took_with : took_without) += seconds_since(start);
    }
  }
  const auto count = static_cast<double>(puts);
  return {count / took_with, count / took_without};
}

void print(const char* what, const Rates& rates) {
  fmt::print("{:22} {:9.0f} puts/s with trees, {:9.0f} without: {:.3f}\n", what, rates.with,
             rates.without, rates.with / rates.without);
}

void run(const Options& options) {
  const auto engine = open_engine(options, "with");
  {
    const auto other = open_engine(options, "without");
    Node with(*engine, true);
    Node without(*other, false);
    with.build();
    print("new keys", measure(with, without, options.keys, key_of));
    Prng prng(1);
    std::vector<std::uint64_t> order(std::min<std::uint64_t>(options.keys, 200'000));
    for (std::uint64_t& number : order) number = prng.below(options.keys);
    print("second version of keys",
          measure(with, without, order.size(), [&](std::uint64_t i) { return key_of(order[i]); }));
    with.flush();
  }
  const double before = resident_mib();
  Node again(*engine, true);
  const auto start = Clock::now();
  const auto [ticks, longest] = again.build();
  const double took = seconds_since(start);
  fmt::print(
      "walk after an open     {:.2f} s of work in {} chunks, {:.2f} ms the longest; {:.1f} s "
      "with pauses\n",
      took, ticks, 1000 * longest,
      took + ticks * std::chrono::duration<double>(RecordTrees::pause).count());
  fmt::print("trees                  {:.1f} MiB; resident +{:.1f} MiB (pages of the engine too)\n",
             static_cast<double>(again.trees().bytes()) / (1 << 20), resident_mib() - before);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--keys") options.keys = std::stoull(argv[i + 1]);
    if (name == "--engine") options.engine = argv[i + 1];
    if (name == "--directory") options.directory = argv[i + 1];
  }
  fmt::print("{} keys of {} bytes, engine {}\n", options.keys, object_bytes, options.engine);
  run(options);
}

// Where the Merkle trees are to be: in memory, made by a walk after an open, or in the engine,
// changed in the batch of the records.
//
//   dynamo_bench_trees_in_batch [--keys N] [--writes N] [--batch N] [--directory DIR]
//
// Four LMDB engines get the same records in the same batches, in turns: without trees, with the
// library's trees in memory, with each changed node from leaf to root in the batch, and with the
// leaves alone in the batch. In the engine a node is 16 bytes under a key of 16.

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <dynamo/storage/lmdb.h>
#include <fmt/format.h>

#include "base/prng.h"
#include "node/engine_keys.h"
#include "node/record.h"
#include "repair/merkle_tree.h"

namespace {

using namespace dynamo::core;
namespace fs = std::filesystem;

constexpr int partition_bits = 8;
constexpr std::uint32_t partitions = 1U << partition_bits;
constexpr std::uint64_t seed = 7;
constexpr std::uint64_t store = 1;
constexpr std::size_t object_bytes = 100;

struct Options {
  std::uint64_t keys = 1'000'000;
  std::uint64_t writes = 65'536;
  std::size_t batch = 256;
  fs::path directory = "trees_in_batch.data";
};

void check(const absl::Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", status.ToString());
  std::exit(1);
}

struct Key {
  KeyHash hash{};
  std::uint64_t number = 0;
  friend auto operator<=>(const Key&, const Key&) = default;
};

std::string text_of(std::uint64_t number) { return fmt::format("user:{:012}", number); }

Key key_of(std::uint64_t number) { return {key_hash(text_of(number), seed), number}; }

// What the process has spent.
struct Spent {
  double seconds = 0;
  double processor = 0;
  double mib = 0;  // handed to write()

  static Spent now() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds_of = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    std::ifstream io("/proc/self/io");
    std::string name;
    std::uint64_t written = 0;
    while (io >> name >> written && name != "wchar:") {
    }
    const auto wall = std::chrono::steady_clock::now().time_since_epoch();
    return {std::chrono::duration<double>(wall).count(),
            seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
            static_cast<double>(written) / (1 << 20)};
  }
  void add_since(const Spent& start) {
    const Spent end = now();
    seconds += end.seconds - start.seconds;
    processor += end.processor - start.processor;
    mib += end.mib - start.mib;
  }
};

Hash128 sum(const Hash128& a, const Hash128& b) {
  const std::uint64_t low = a.low + b.low;
  return {a.high + b.high + (low < a.low ? 1 : 0), low};
}
Hash128 negative(const Hash128& a) { return sum({~a.high, ~a.low}, {0, 1}); }

std::string bytes_of(const Hash128& hash) {
  std::string bytes;
  Encoder out(bytes);
  out.fixed64(hash.high);
  out.fixed64(hash.low);
  return bytes;
}
Hash128 hash_in(std::string_view bytes) {
  Decoder in(bytes);
  const std::uint64_t high = in.fixed64();
  return {high, in.fixed64()};
}

// Ordered as partitions, depths and places.
std::string node_key(std::uint32_t partition, int depth, std::uint64_t index) {
  std::string key = "t00000000";  // a kind, and the store
  for (const int shift : {8, 0}) key += static_cast<char>(partition >> shift);
  key += static_cast<char>(depth);
  for (const int shift : {24, 16, 8, 0}) key += static_cast<char>(index >> shift);
  return key;
}

enum class Trees { none, memory, path, leaves };
constexpr std::array names = {"no trees", "in memory", "path in the batch", "leaves in the batch"};

class Variant {
 public:
  Variant(Trees trees, const fs::path& directory)
      : trees_(trees), path_(directory / std::to_string(static_cast<int>(trees))) {
    fs::create_directories(path_);
    open();
  }

  const char* name() const { return names[static_cast<std::size_t>(trees_)]; }

  void write(const std::vector<Key>& batch) {
    std::vector<std::pair<std::string, std::string>> writes;
    std::vector<Change> changes;
    for (const Key& key : batch) {
      const std::string engine_key = object_key({store, key.hash});
      Record record{.store = "bench", .key = text_of(key.number)};
      Hash128 before{};
      const auto read = engine_->read(engine_key, [&](std::string_view bytes) {
        record.replica = decode_record(bytes)->replica;
        if (trees_ != Trees::none) before = set_digest(record.replica.set, key.hash, seed);
      });
      check(read.status());
      const std::uint64_t counter = record.replica.set.history().highest({1, 1}) + 1;
      record.replica.set.put(record.replica.set.history(),
                             {.dot = {{1, 1}, counter},
                              .write_id = {1, counter},
                              .clock = {counter},
                              .written_at_us = 1,
                              .object = std::string(object_bytes, 'x')},
                             Conflict::keep_siblings);
      if (trees_ != Trees::none) {
        note(key.hash, before, set_digest(record.replica.set, key.hash, seed), changes);
      }
      writes.emplace_back(engine_key, encode_record(record));
    }
    add_nodes(changes, writes);
    std::vector<dynamo::StorageEngine::Write> views;
    for (const auto& [key, record] : writes) views.push_back({key, record});
    check(engine_->write(views));
  }

  // Until the trees are there; whatever was in memory is forgotten.
  double reopen() {
    roots_ = {};
    engine_.reset();
    const Spent start = Spent::now();
    open();
    if (trees_ == Trees::memory) walk_records();
    if (trees_ == Trees::leaves) add_up_leaves();
    if (trees_ == Trees::path) {
      for (std::uint32_t p = 0; p < partitions; ++p) roots_[p] = node(node_key(p, 0, 0));
    }
    const double took = Spent::now().seconds - start.seconds;
    for (std::uint32_t p = 0; p < in_memory_.size(); ++p) roots_[p] = in_memory_[p].root();
    return took;
  }
  const std::array<Hash128, partitions>& roots() const { return roots_; }

  double memory_mib() const {
    std::size_t bytes = 0;
    for (const MerkleTree& tree : in_memory_) bytes += tree.bytes();
    return static_cast<double>(bytes) / (1 << 20);
  }
  double file_mib() const {
    std::uintmax_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(path_)) bytes += fs::file_size(entry);
    return static_cast<double>(bytes) / (1 << 20);
  }

 private:
  using Change = std::pair<std::string, Hash128>;  // of a node, and what is added to it

  void open() {
    auto engine = dynamo::lmdb_storage({.path = path_, .map_bytes_max = std::size_t{1} << 36});
    check(engine.status());
    engine_ = *std::move(engine);
    in_memory_.clear();
    if (trees_ != Trees::memory) return;
    for (std::uint32_t p = 0; p < partitions; ++p) in_memory_.emplace_back(p, partition_bits);
  }

  static std::uint32_t partition_of(const KeyHash& hash) {
    return static_cast<std::uint32_t>(hash.high >> (64 - partition_bits));
  }

  void note(const KeyHash& hash, const Hash128& before, const Hash128& now,
            std::vector<Change>& changes) {
    const std::uint32_t partition = partition_of(hash);
    if (trees_ == Trees::memory) return in_memory_[partition].update(hash, before, now);
    const Hash128 change = sum(now, negative(before));
    const int levels = tree_levels(partition_bits);
    for (int depth = trees_ == Trees::path ? 0 : levels; depth <= levels; ++depth) {
      const std::uint64_t path = hash.high >> (64 - partition_bits - 4 * depth);
      const std::uint64_t index = path & ((std::uint64_t{1} << (4 * depth)) - 1);
      changes.emplace_back(node_key(partition, depth, index), change);
    }
  }

  Hash128 node(const std::string& key) {
    Hash128 digest{};
    check(engine_->read(key, [&](std::string_view bytes) { digest = hash_in(bytes); }).status());
    return digest;
  }

  // Each changed node once.
  void add_nodes(std::vector<Change>& changes,
                 std::vector<std::pair<std::string, std::string>>& writes) {
    std::ranges::sort(changes, {}, &Change::first);
    for (std::size_t i = 0; i < changes.size();) {
      const std::string& key = changes[i].first;
      Hash128 digest = node(key);
      std::size_t next = i;
      for (; next < changes.size() && changes[next].first == key; ++next) {
        digest = sum(digest, changes[next].second);
      }
      writes.emplace_back(key, bytes_of(digest));
      i = next;
    }
  }

  void walk_records() {
    check(engine_->scan("o", [&](std::string_view key, std::string_view bytes) {
      const auto at = parse_object_key(key);
      if (!at) return false;
      const Record record = *decode_record(bytes);
      in_memory_[partition_of(at->hash)].update(at->hash, {},
                                                set_digest(record.replica.set, at->hash, seed));
      return true;
    }));
  }
  // The levels above are sums.
  void add_up_leaves() {
    check(engine_->scan("t", [&](std::string_view key, std::string_view bytes) {
      if (key.front() != 't') return false;
      const auto partition = static_cast<unsigned char>(key[10]);
      roots_[partition] = sum(roots_[partition], hash_in(bytes));
      return true;
    }));
  }

  const Trees trees_;
  const fs::path path_;
  std::unique_ptr<dynamo::StorageEngine> engine_;
  std::vector<MerkleTree> in_memory_;
  std::array<Hash128, partitions> roots_{};
};

using Variants = std::vector<std::unique_ptr<Variant>>;

// The same batches to all, in another order each time.
template <class Batch>
void measure(const char* what, Variants& variants, std::uint64_t batches, std::uint64_t slice,
             std::uint64_t records, Batch batch) {
  std::vector<Spent> spent(variants.size());
  for (std::uint64_t first = 0; first < batches; first += slice) {
    std::vector<std::vector<Key>> some;
    for (std::uint64_t i = first; i < std::min(first + slice, batches); ++i) {
      some.push_back(batch(i));
    }
    for (std::size_t i = 0; i < variants.size(); ++i) {
      const std::size_t at = (first / slice + i) % variants.size();
      const Spent start = Spent::now();
      for (const std::vector<Key>& one : some) variants[at]->write(one);
      spent[at].add_since(start);
    }
  }
  const auto count = static_cast<double>(records);
  for (std::size_t at = 0; at < variants.size(); ++at) {
    const Spent& s = spent[at];
    fmt::print(
        "{:12} {:20} {:9.0f} records/s, {:.2f} of no trees; {:6.2f} us CPU, {:.2f}; "
        "{:6.0f} bytes written a record, {:.2f}\n",
        what, variants[at]->name(), count / s.seconds, spent[0].seconds / s.seconds,
        1e6 * s.processor / count, s.processor / spent[0].processor, s.mib * (1 << 20) / count,
        s.mib / spent[0].mib);
  }
  std::fflush(stdout);
}

void run(const Options& options) {
  Variants variants;
  for (const Trees trees : {Trees::none, Trees::memory, Trees::path, Trees::leaves}) {
    variants.push_back(std::make_unique<Variant>(trees, options.directory));
  }
  std::vector<Key> keys;
  keys.reserve(options.keys);
  for (std::uint64_t i = 0; i < options.keys; ++i) keys.push_back(key_of(i));
  std::ranges::sort(keys);

  constexpr std::uint64_t many = 65'536;  // in order: only so can this much be loaded
  measure("load", variants, (keys.size() + many - 1) / many, 1, keys.size(), [&](std::uint64_t i) {
    const auto first = keys.begin() + static_cast<std::ptrdiff_t>(i * many);
    const std::uint64_t count = std::min<std::uint64_t>(many, keys.size() - i * many);
    return std::vector<Key>(first, first + static_cast<std::ptrdiff_t>(count));
  });

  const std::uint64_t batches = options.writes / options.batch;
  Prng prng(1);
  const auto in_order = [](std::vector<Key> batch) {
    std::ranges::sort(batch);
    const auto [end, last] = std::ranges::unique(batch);
    batch.erase(end, last);
    return batch;
  };
  measure("overwrite", variants, batches, 8, options.writes, [&](std::uint64_t) {
    std::vector<Key> batch(options.batch);
    for (Key& key : batch) key = keys[prng.below(keys.size())];
    return in_order(std::move(batch));
  });
  measure("new keys", variants, batches, 8, options.writes, [&](std::uint64_t i) {
    std::vector<Key> batch(options.batch);
    for (std::size_t k = 0; k < batch.size(); ++k) {
      batch[k] = key_of(options.keys + i * options.batch + k);
    }
    return in_order(std::move(batch));
  });

  for (const auto& variant : variants) {
    const double open = variant->reopen();
    fmt::print("{:20} open {:8.3f} s, trees in memory {:5.1f} MiB, files {:.0f} MiB\n",
               variant->name(), open, variant->memory_mib(), variant->file_mib());
  }
  for (const std::size_t at : {std::size_t{2}, std::size_t{3}}) {
    if (variants[at]->roots() == variants[1]->roots()) continue;
    fmt::print(stderr, "{}: other trees than in memory\n", variants[at]->name());
    std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--keys") options.keys = std::stoull(argv[i + 1]);
    if (name == "--writes") options.writes = std::stoull(argv[i + 1]);
    if (name == "--batch") options.batch = std::stoull(argv[i + 1]);
    if (name == "--directory") options.directory = argv[i + 1];
  }
  fmt::print("{} keys with {} bytes, then {} writes in batches of {}\n", options.keys, object_bytes,
             options.writes, options.batch);
  run(options);
  fs::remove_all(options.directory);
}

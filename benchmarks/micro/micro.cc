// What the parts of a get and a put cost by themselves: dynamo_bench_micro
// [--benchmark_filter=...].

#include <dynamo/storage/lmdb.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "../../examples/local_cluster.h"
#include "base/coding.h"
#include "base/hash.h"
#include "base/key_hash.h"
#include "causality/version_set.h"
#include "repair/merkle_tree.h"
#include "ring/partition_map.h"
#include "wire/codec.h"
#include "wire/packet.h"

namespace {

using namespace dynamo;
using namespace dynamo::core;

// The state of a key that `writers` have written concurrently, each under an actor of its own.
VersionSet siblings(int writers, std::size_t bytes) {
  VersionSet set;
  for (int i = 0; i < writers; ++i) {
    StoredVersion version;
    version.dot = {.actor = {.boot = 17, .sequence = static_cast<std::uint64_t>(i)}, .counter = 1};
    version.write_id = {.high = 1, .low = static_cast<std::uint64_t>(i)};
    version.object = std::string(bytes, 'x');
    set.put(History(), std::move(version), Conflict::keep_siblings);
  }
  return set;
}

// Two replicas that have seen all but one of the others' writes.
void merge_of_siblings(benchmark::State& state) {
  const int writers = static_cast<int>(state.range(0));
  const VersionSet most = siblings(writers, 100);
  VersionSet newer = most;
  StoredVersion one;
  one.dot = {.actor = {.boot = 18, .sequence = 1}, .counter = 1};
  one.object = std::string(100, 'y');
  newer.put(most.history(), std::move(one), Conflict::keep_siblings);
  for (auto _ : state) {
    VersionSet merged = most;
    merged.merge(newer, Conflict::keep_siblings);
    benchmark::DoNotOptimize(merged);
  }
}
BENCHMARK(merge_of_siblings)->Arg(1)->Arg(4)->Arg(16);

void set_to_bytes_and_back(benchmark::State& state) {
  const VersionSet set = siblings(static_cast<int>(state.range(0)), 100);
  for (auto _ : state) {
    std::string bytes;
    Encoder out(bytes);
    set.encode(out);
    Decoder in(bytes);
    benchmark::DoNotOptimize(VersionSet::decode(in));
  }
}
BENCHMARK(set_to_bytes_and_back)->Arg(1)->Arg(16);

// As many write requests in one packet, written and read.
void packet_of_writes(benchmark::State& state) {
  WriteRequest write;
  write.store = {.name = "carts", .n = 3};
  write.key = "a key of some bytes";
  write.set = siblings(1, 100);
  const Message message = write;
  PacketHeader header;
  header.from = "a";
  header.to = "b";
  for (auto _ : state) {
    PacketWriter writer(header);
    for (std::int64_t i = 0; i < state.range(0); ++i) writer.add(message);
    const std::string bytes = std::move(writer).finish();
    Packet packet;
    if (const absl::Status read = read_packet(bytes, packet); !read.ok()) {
      state.SkipWithError(read.ToString().c_str());
    }
    benchmark::DoNotOptimize(packet);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(packet_of_writes)->Arg(1)->Arg(64);

View view_of(std::int64_t members) {
  View view;
  view.number = 1;
  for (std::int64_t i = 0; i < members; ++i) {
    Member member;
    member.name = fmt::format("member {}", i);
    member.identity = {.high = 1, .low = static_cast<std::uint64_t>(i) + 1};
    member.state = MemberState::up;
    view.members.push_back(member);
  }
  return view;
}

void owners_of_a_key(benchmark::State& state) {
  const PartitionMap map(view_of(state.range(0)), 8192, 3);
  std::uint64_t number = 0;
  for (auto _ : state) {
    const std::string key = fmt::format("key {}", ++number);
    benchmark::DoNotOptimize(map.preference_list(map.partition_of(key_hash(key, 1)), 3));
  }
}
BENCHMARK(owners_of_a_key)->Arg(3)->Arg(1000);

// Of as many keys of one partition of 256, each at its turn.
void merkle_update(benchmark::State& state) {
  MerkleTree tree(0, 8);
  std::mt19937_64 random(1);
  std::vector<KeyHash> keys(static_cast<std::size_t>(state.range(0)));
  for (KeyHash& key : keys) key = {.high = random() >> 8, .low = random()};
  std::vector<Hash128> digests(keys.size());
  std::size_t at = 0;
  for (auto _ : state) {
    const Hash128 now{.high = random(), .low = random()};
    tree.update(keys[at], digests[at], now);
    digests[at] = now;
    at = at + 1 == keys.size() ? 0 : at + 1;
  }
  benchmark::DoNotOptimize(tree.root());
}
BENCHMARK(merkle_update)->Arg(1000)->Arg(1'000'000);

void checksum_of_record(benchmark::State& state) {
  const std::string record(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(checksum(record));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum_of_record)->Arg(200)->Arg(65'536);

// 100,000 records of 200 bytes, at random.
void lmdb_read(benchmark::State& state) {
  const example::Directory directory;
  auto engine = lmdb_storage({.path = directory.path()});
  if (!engine.ok()) return state.SkipWithError(engine.status().ToString().c_str());
  const std::string record(200, 'x');
  std::vector<std::string> keys;
  for (int i = 0; i < 100'000; ++i) keys.push_back(fmt::format("{:025}", i * 7919LL % 100'000));
  std::vector<StorageEngine::Write> batch;
  for (const std::string& key : keys) batch.push_back({.key = key, .record = record});
  if (!(*engine)->write(batch).ok()) return state.SkipWithError("the records were not written");
  std::size_t seen = 0;
  std::size_t at = 0;
  for (auto _ : state) {
    const auto found =
        (*engine)->read(keys[at], [&](std::string_view bytes) { seen += bytes.size(); });
    if (!found.ok() || !*found) state.SkipWithError("a record is missing");
    at = (at + 7919) % keys.size();
  }
  benchmark::DoNotOptimize(seen);
}
BENCHMARK(lmdb_read);

// One small batch: a write and a sync of the log, and its share of what LMDB gets from there.
void log_write(benchmark::State& state) {
  const example::Directory directory;
  LmdbOptions options{.path = directory.path()};
  if (state.range(1) == 0) options.log_bytes_max = 0;
  auto engine = lmdb_storage(options);
  if (!engine.ok()) return state.SkipWithError(engine.status().ToString().c_str());
  const std::string record(200, 'x');
  std::mt19937_64 random(1);
  for (auto _ : state) {
    std::vector<std::string> keys;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      keys.push_back(fmt::format("{:025}", random() % 100'000));
    }
    std::vector<StorageEngine::Write> batch;
    for (const std::string& key : keys) batch.push_back({.key = key, .record = record});
    if (!(*engine)->write(batch).ok()) state.SkipWithError("a batch was not written");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(log_write)->ArgNames({"records", "log"})->ArgsProduct({{1, 32}, {0, 1}});

}  // namespace

BENCHMARK_MAIN();

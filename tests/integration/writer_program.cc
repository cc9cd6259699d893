// A node of one member that says what it finds, and then writes until it is killed. Arguments:
// DIRECTORY ADDRESS synced|buffered FLUSH_MILLISECONDS. On standard output, a line each:
//
//   have KEY COUNTER        what the store holds of each key; COUNTER is 0 if nothing
//   wrong TEXT              what it holds is not what was ever written, or a request failed
//   ready
//   ack KEY COUNTER TICK    a put was acknowledged, after so many ticks of this process
//
// A tick is five milliseconds at the least, throughout which no commit was under way.
//
// KEY is a number. The object of a key is made from its counter, so that each can be checked.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <dynamo/dynamo.h>

namespace {

constexpr int threads = 4;
constexpr int keys = 32;

std::atomic<bool> failed{false};
std::atomic<long> commits_begun{0};
std::atomic<long> commits_ended{0};
std::atomic<long> ticks{0};

// An engine that says when it commits.
class WatchedEngine final : public dynamo::StorageEngine {
 public:
  explicit WatchedEngine(std::unique_ptr<dynamo::StorageEngine> engine)
      : engine_(std::move(engine)) {}

  absl::StatusOr<bool> read(std::string_view key,
                            absl::FunctionRef<void(std::string_view record)> visit) override {
    return engine_->read(key, visit);
  }
  absl::Status write(std::span<const Write> batch) override {
    ++commits_begun;
    absl::Status written = engine_->write(batch);
    ++commits_ended;
    return written;
  }
  absl::Status scan(
      std::string_view from,
      absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) override {
    return engine_->scan(from, visit);
  }

 private:
  const std::unique_ptr<dynamo::StorageEngine> engine_;
};

void count_ticks() {
  for (;;) {
    const long ended = commits_ended;
    const bool idle = commits_begun == ended;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (idle && commits_begun == ended) ++ticks;
  }
}

// One write(2) each, whole or not at all: a pipe takes that much at once.
void say(const std::string& text) {
  const std::string line = text + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(3);
}

void fail(const std::string& text) {
  say("wrong " + text);
  failed = true;
}

// Of lengths that differ, so that pages split, merge and overflow.
std::string object_of(int key, int counter) {
  const std::size_t size = static_cast<std::size_t>(counter * 977 + key * 331) % 9000;
  return std::to_string(counter) + ":" + std::string(size, static_cast<char>('a' + counter % 26));
}

struct State {
  int counter = 0;
  dynamo::Context context{};
};

State read_state(const dynamo::Store& store, int key) {
  const auto seen = store.get(std::to_string(key));
  if (!seen.ok()) {
    fail(seen.status().ToString());
    return {};
  }
  State state{.context = seen->context};
  if (!seen->found()) return state;
  if (seen->versions.size() != 1) fail("siblings of key " + std::to_string(key));
  const std::string object(seen->versions[0].object);
  state.counter = std::atoi(object.c_str());
  if (object != object_of(key, state.counter)) fail("the object of key " + std::to_string(key));
  return state;
}

void write_on(const dynamo::Store& store, std::vector<State>& states, int thread) {
  while (!failed) {
    for (int key = thread; key < keys; key += threads) {
      State& state = states[static_cast<std::size_t>(key)];
      const auto put =
          store.put(std::to_string(key), state.context, object_of(key, state.counter + 1));
      if (!put.ok()) return fail(put.status().ToString());
      state.context = put->context;
      ++state.counter;
      say("ack " + std::to_string(key) + " " + std::to_string(state.counter) + " " +
          std::to_string(ticks));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  dynamo::Member member;
  member.name = "a";
  member.address = arguments.at(1);
  dynamo::NodeOptions options{.cluster = "crash", .name = "a"};
  options.listen = member.address;
  options.data_dir = arguments.at(0);
  options.partitions = 8;
  options.flush_interval = std::chrono::milliseconds(std::atoi(arguments.at(3).c_str()));
  dynamo::Components parts;
  parts.membership = dynamo::fixed_membership({member});
  auto engine = dynamo::lmdb_storage({.path = options.data_dir});
  if (!engine.ok()) {
    fail(engine.status().ToString());
    return 1;
  }
  parts.storage = std::make_unique<WatchedEngine>(*std::move(engine));
  auto node = dynamo::Node::start(options, std::move(parts));
  if (!node.ok()) {
    fail(node.status().ToString());
    return 1;
  }
  dynamo::StoreOptions store_options{.quorum = {.n = 1, .r = 1, .w = 1}};
  store_options.timeout = std::chrono::seconds(30);
  store_options.durability =
      arguments.at(2) == "buffered" ? dynamo::Durability::buffered : dynamo::Durability::synced;
  const auto store = node->open("objects", store_options);
  if (!store.ok()) {
    fail(store.status().ToString());
    return 1;
  }
  std::vector<State> states;
  for (int key = 0; key < keys; ++key) {
    states.push_back(read_state(*store, key));
    say("have " + std::to_string(key) + " " + std::to_string(states.back().counter));
  }
  say("ready");
  std::thread(count_ticks).detach();
  std::vector<std::thread> writers;
  for (int thread = 0; thread < threads; ++thread) {
    writers.emplace_back([&, thread] { write_on(*store, states, thread); });
  }
  for (std::thread& writer : writers) writer.join();
}

// One store through many deaths. A process puts without a pause and says what was acknowledged;
// it is killed with SIGKILL at a random moment, sometimes while it opens; the next one says what
// it finds there. `./dev long` runs more cycles than the ordinary tests do.
//
// How old may a `buffered` write be that is lost? No clock of ours can tell: a machine that is busy
// stops any of these processes for as long as it likes, and nobody promises anything for that time.
// So the process that dies keeps the time itself, in ticks (writer_program.cc): one is five
// milliseconds of its life at the least, in which one of its threads was woken and no commit was
// under way. The node's thread that commits is woken after half of flush_interval. Then there are
// no ticks until that commit is done, however slow the disk; so what is lost though as many ticks
// have passed as make up flush_interval has been forgotten, or was committed much too late.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <utility>

#include "../../examples/local_cluster.h"
#include "catch.hpp"
#include "child_node.h"

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds tick(5);
constexpr milliseconds patience = std::chrono::seconds(60);  // with a process that is stuck

// A process of writer_program.cc.
class Writer {
 public:
  Writer(const std::filesystem::path& directory, const std::string& durability,
         milliseconds flush_interval) {
    std::vector<std::string> arguments = {DYNAMO_WRITER_PROGRAM, directory.string(),
                                          example::local_members(1)[0].address, durability,
                                          std::to_string(flush_interval.count())};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::array<int, 2> output{};
    REQUIRE(::pipe2(output.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::dup2(output[1], STDOUT_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(output[1]);
    output_ = output[0];
  }
  ~Writer() {
    if (pid_ > 0) kill();
    ::close(output_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Its next line; nothing at `until`, or when it is dead and all is read.
  std::string line(Clock::time_point until) {
    for (;;) {
      if (const std::size_t end = unparsed_.find('\n'); end != std::string::npos) {
        const std::string found = unparsed_.substr(0, end);
        unparsed_.erase(0, end + 1);
        return found;
      }
      const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
      pollfd wait{output_, POLLIN, 0};
      if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) != 1) return {};
      std::array<char, 65536> buffer;
      const ssize_t got = ::read(output_, buffer.data(), buffer.size());
      if (got <= 0) return {};
      unparsed_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  void kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string unparsed_;
};

// What was acknowledged of one key, and may be asked for.
struct Acknowledged {
  struct One {
    int counter = 0;
    long tick = 0;
  };
  std::deque<One> all{};  // by counter, the last one last
  int last() const { return all.empty() ? 0 : all.back().counter; }
};

class CrashCycles {
 public:
  // `promised`: what is acknowledged for so many ticks is never lost; zero for "nothing is".
  CrashCycles(std::string durability, milliseconds flush_interval, long promised)
      : durability_(std::move(durability)), flush_interval_(flush_interval), promised_(promised) {}

  // Kills the process so long after its start.
  void run_from_start(milliseconds after) {
    Writer writer = start();
    read(writer, after, [](bool) { return false; });
    end(writer);
  }
  // Or after it is ready.
  void run_from_ready(milliseconds after) {
    Writer writer = start();
    read(writer, patience, [](bool ready) { return ready; });
    read(writer, after, [](bool) { return false; });
    end(writer);
  }
  // Or when it has lived for so many ticks.
  void run_for_ticks(long ticks) {
    Writer writer = start();
    read(writer, patience, [](bool ready) { return ready; });
    read(writer, patience, [&](bool) { return now_ >= ticks; });
    end(writer);
  }

  int found = 0;  // how often what a process had left was looked at
  int acknowledged = 0;
  int lost = 0;
  int kept = 0;  // looked at, and older than what may be lost
  long oldest_lost = 0;

 private:
  Writer start() { return Writer(data_.path() / "a", durability_, flush_interval_); }

  // Its lines until it says nothing more, `enough` of one of them, or for so long.
  template <class Enough>
  void read(Writer& writer, milliseconds most, const Enough& enough) {
    const Clock::time_point until = Clock::now() + most;
    for (std::string line; !(line = writer.line(until)).empty();) {
      if (enough(take(line))) return;
    }
  }

  void end(Writer& writer) {
    writer.kill();
    read(writer, patience, [](bool) { return false; });  // what it had said by then
    death_ = std::exchange(now_, 0);
  }

  // Returns whether this line says that it is ready.
  bool take(const std::string& line) {
    INFO(line);
    std::istringstream in(line);
    std::string kind;
    int key = 0;
    int counter = 0;
    long at = 0;
    in >> kind >> key >> counter >> at;
    if (kind == "have") {
      look_at(keys_[key], counter);
    } else if (kind == "ack") {
      REQUIRE(counter == keys_[key].last() + 1);
      keys_[key].all.push_back({counter, at});
      now_ = std::max(now_, at);
      ++acknowledged;
    } else {
      REQUIRE(kind == "ready");
      ++found;
    }
    return kind == "ready";
  }

  void look_at(Acknowledged& key, int counter) {
    // The last one may have been written and not reported.
    REQUIRE(counter <= key.last() + 1);
    for (const Acknowledged::One& one : key.all) {
      const long age = death_ - one.tick;
      if (one.counter <= counter) {
        if (age >= promised_) ++kept;
        continue;
      }
      INFO("write " << one.counter << " is lost, acknowledged " << age
                    << " ticks before the process died, and " << counter << " is found");
      REQUIRE(age < promised_);
      ++lost;
      oldest_lost = std::max(oldest_lost, age);
    }
    // What was found has been on disk, and must stay there: it is as old as it can be.
    key.all.assign(counter > 0 ? 1 : 0, {counter, std::numeric_limits<int>::min()});
  }

  const std::string durability_;
  const milliseconds flush_interval_;
  const long promised_;
  const test::TemporaryDirectory data_;
  std::map<int, Acknowledged> keys_;
  long now_ = 0;    // of this life, what it has said of it
  long death_ = 0;  // when the last life ended
};

int cycles(int ordinary) {
  const char* const wanted = std::getenv("DYNAMO_CRASH_CYCLES");
  return wanted == nullptr ? ordinary : std::atoi(wanted);
}

unsigned seed() {
  const char* const wanted = std::getenv("DYNAMO_SEED");
  return wanted == nullptr ? std::random_device()()
                           : static_cast<unsigned>(std::strtoul(wanted, nullptr, 10));
}

void report(const CrashCycles& store, int deaths) {
  std::ostringstream text;
  text << deaths << " deaths, " << store.found << " looked at; " << store.acknowledged
       << " writes acknowledged, " << store.lost << " lost, the oldest " << store.oldest_lost
       << " ticks before the death; " << store.kept << " were too old to be lost";
  WARN(text.str());
}

}  // namespace

TEST_CASE("kill -9 again and again loses no synced write of one store") {
  const unsigned from = seed();
  INFO("DYNAMO_SEED=" << from);
  std::mt19937 random(from);
  CrashCycles store("synced", milliseconds(1000), 0);
  const int deaths = cycles(20);
  for (int cycle = 0; cycle < deaths; ++cycle) {
    INFO("cycle " << cycle);
    // One in four while it opens, or shortly after.
    const bool once_ready = random() % 4 != 0;
    const milliseconds after(random() % 60 + 1);
    once_ready ? store.run_from_ready(after) : store.run_from_start(after);
  }
  store.run_from_ready(milliseconds(0));
  report(store, deaths);
  CHECK(store.lost == 0);
  CHECK(store.acknowledged > deaths);
}

TEST_CASE("kill -9 again and again loses no buffered write older than flush_interval") {
  const unsigned from = seed();
  INFO("DYNAMO_SEED=" << from);
  std::mt19937 random(from);
  constexpr milliseconds flush_interval(500);
  constexpr long promised = flush_interval / tick;
  CrashCycles store("buffered", flush_interval, promised);
  const int deaths = cycles(10);
  for (int cycle = 0; cycle < deaths; ++cycle) {
    INFO("cycle " << cycle);
    store.run_for_ticks(static_cast<long>(random() % (3 * promised)));
  }
  store.run_from_ready(milliseconds(0));
  report(store, deaths);
  CHECK(store.acknowledged > deaths);
}

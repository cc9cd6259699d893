// One store through many deaths. A process puts without a pause and says what was acknowledged;
// it is killed with SIGKILL at a random moment, sometimes while it opens; the next one says what
// it finds there. `./dev long` runs more cycles than the ordinary tests do.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "child_node.h"

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

microseconds now() {
  return std::chrono::duration_cast<microseconds>(Clock::now().time_since_epoch());
}

// A process of writer_program.cc.
class Writer {
 public:
  Writer(const std::filesystem::path& directory, const std::string& durability,
         milliseconds flush_interval) {
    std::vector<std::string> arguments = {DYNAMO_WRITER_PROGRAM, directory.string(),
                                          test::loopback_members(1)[0].address, durability,
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
    microseconds at{};
  };
  std::deque<One> all{};  // by counter, the last one last
  int last() const { return all.empty() ? 0 : all.back().counter; }
};

class CrashCycles {
 public:
  // `promised`: what is acknowledged for longer is never lost; zero for "nothing is".
  CrashCycles(std::string durability, milliseconds flush_interval, milliseconds promised)
      : durability_(std::move(durability)), flush_interval_(flush_interval), promised_(promised) {}

  // Kills the process `after` its start, or after it is ready.
  void run(milliseconds after, bool once_ready) {
    Writer writer(data_.path() / "a", durability_, flush_interval_);
    Clock::time_point deadline = Clock::now() + (once_ready ? std::chrono::seconds(60) : after);
    for (std::string line; !(line = writer.line(deadline)).empty();) {
      if (take(line) && once_ready) deadline = Clock::now() + after;
    }
    const microseconds death = now();  // or a little earlier than it is
    writer.kill();
    // What it had said by then.
    const auto patience = Clock::now() + std::chrono::seconds(60);
    for (std::string line; !(line = writer.line(patience)).empty();) take(line);
    death_ = death;
  }

  int found = 0;  // how often what a process had left was looked at
  int acknowledged = 0;
  int lost = 0;
  microseconds oldest_lost{};

 private:
  // Returns whether this line says that it is ready.
  bool take(const std::string& line) {
    INFO(line);
    std::istringstream in(line);
    std::string kind;
    int key = 0;
    int counter = 0;
    long time = 0;
    in >> kind >> key >> counter >> time;
    if (kind == "have") {
      look_at(keys_[key], counter);
    } else if (kind == "ack") {
      REQUIRE(counter == keys_[key].last() + 1);
      keys_[key].all.push_back({counter, microseconds(time)});
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
    for (; !key.all.empty() && key.all.back().counter > counter; key.all.pop_back()) {
      const microseconds age = death_ - key.all.back().at;
      INFO("write " << key.all.back().counter << " is lost, acknowledged " << age.count()
                    << " us before the process died; found is " << counter);
      REQUIRE(age < promised_);
      ++lost;
      oldest_lost = std::max(oldest_lost, age);
    }
    // What was found has been on disk, and must stay there: it is as old as it can be.
    key.all.assign(counter > 0 ? 1 : 0, {counter, microseconds(0)});
  }

  const std::string durability_;
  const milliseconds flush_interval_;
  const milliseconds promised_;
  const test::TemporaryDirectory data_;
  std::map<int, Acknowledged> keys_;
  microseconds death_{};
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
       << " writes acknowledged, " << store.lost << " lost, the oldest "
       << store.oldest_lost.count() / 1000 << " ms before the death";
  WARN(text.str());
}

}  // namespace

TEST_CASE("kill -9 again and again loses no synced write of one store") {
  const unsigned from = seed();
  INFO("DYNAMO_SEED=" << from);
  std::mt19937 random(from);
  CrashCycles store("synced", milliseconds(1000), milliseconds(0));
  const int deaths = cycles(20);
  for (int cycle = 0; cycle < deaths; ++cycle) {
    INFO("cycle " << cycle);
    // One in four while it opens, or shortly after.
    const bool once_ready = random() % 4 != 0;
    store.run(milliseconds(random() % 60 + 1), once_ready);
  }
  store.run(milliseconds(0), true);
  report(store, deaths);
  CHECK(store.lost == 0);
  CHECK(store.acknowledged > deaths);
}

TEST_CASE("kill -9 again and again loses no buffered write older than flush_interval") {
  const unsigned from = seed();
  INFO("DYNAMO_SEED=" << from);
  std::mt19937 random(from);
  constexpr milliseconds flush_interval(1000);
  CrashCycles store("buffered", flush_interval, flush_interval);
  const int deaths = cycles(10);
  for (int cycle = 0; cycle < deaths; ++cycle) {
    INFO("cycle " << cycle);
    store.run(milliseconds(random() % 2000), true);
  }
  store.run(milliseconds(0), true);
  report(store, deaths);
  CHECK(store.acknowledged > deaths);
}

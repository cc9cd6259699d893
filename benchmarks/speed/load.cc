#include "speed/load.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <thread>
#include <vector>

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double zipf = 0.99;

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// Of what happens between its begin() and end().
class Meter {
 public:
  explicit Meter(std::span<const pid_t> others) : others_(others) {}

  void begin() {
    times_.clear();
    cpu_ = cpu_seconds(others_);
    began_ = Clock::now();
  }
  void add(Clock::duration took) { times_.push_back(static_cast<float>(seconds(took) * 1e6)); }
  Sample end() {
    const double took = seconds(Clock::now() - began_);
    const double cpu = cpu_seconds(others_) - cpu_;
    const auto count = static_cast<double>(std::max<std::size_t>(1, times_.size()));
    return {.p50_us = percentile(times_, 0.5),
            .p99_us = percentile(times_, 0.99),
            .p999_us = percentile(times_, 0.999),
            .per_second = count / took,
            .cpu_us = cpu * 1e6 / count};
  }

 private:
  const std::span<const pid_t> others_;
  std::vector<float> times_;
  double cpu_ = 0;
  Clock::time_point began_{};
};

class ClosedLoop {
 public:
  ClosedLoop(asio::io_context& io, const Load& load, Keys& keys, std::span<const pid_t> others,
             const Start& start)
      : io_(io), load_(load), keys_(keys), start_(start), meter_(others) {}

  Sample run() {
    io_.restart();
    began_ = Clock::now();
    slots_.resize(static_cast<std::size_t>(load_.in_flight));
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) next(slot);
    while (running_ > 0) io_.run_one();
    return sample_;
  }

 private:
  void next(std::size_t slot) {
    slots_[slot] = Clock::now();
    ++running_;
    start_(keys_.next(), [this, slot] { done(slot); });
  }

  void done(std::size_t slot) {
    --running_;
    const Clock::time_point now = Clock::now();
    const double elapsed = seconds(now - began_);
    if (state_ == State::measures) meter_.add(now - slots_[slot]);
    if (state_ == State::warms_up && elapsed >= load_.warm_up_seconds) {
      state_ = State::measures;
      meter_.begin();
    }
    if (state_ == State::measures && elapsed >= load_.warm_up_seconds + load_.seconds) {
      state_ = State::ends;
      sample_ = meter_.end();
    }
    if (state_ != State::ends) next(slot);
  }

  asio::io_context& io_;
  const Load load_;
  Keys& keys_;
  const Start& start_;
  Meter meter_;
  enum class State { warms_up, measures, ends } state_ = State::warms_up;
  Clock::time_point began_{};
  std::vector<Clock::time_point> slots_;  // when its operation began
  int running_ = 0;
  Sample sample_{};
};

}  // namespace

Keys::Keys(std::uint64_t count, std::uint64_t seed, Popularity popularity)
    : count_(count), state_(seed * 2 + 1), popularity_(popularity) {
  if (popularity_ == Popularity::uniform) return;
  for (std::uint64_t k = 1; k <= count_; ++k) zeta_ += std::pow(static_cast<double>(k), -zipf);
  const double of_two = 1 + std::pow(2.0, -zipf);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(count_), 1 - zipf)) / (1 - of_two / zeta_);
}

std::uint64_t Keys::draw() {
  // xorshift64*: the load must not cost more than what it loads.
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  return (state_ * 0x2545f4914f6cdd1d) >> 16;
}

double Keys::draw_share() {
  return static_cast<double>(draw()) / static_cast<double>(std::uint64_t{1} << 48);
}

// "Quickly Generating Billion-Record Synthetic Databases", Gray et al., SIGMOD 1994, as in YCSB.
std::uint64_t Keys::next() {
  if (popularity_ == Popularity::uniform) return draw() % count_;
  const double share = draw_share();
  std::uint64_t rank = 0;
  if (share * zeta_ >= 1 + std::pow(2.0, -zipf)) {
    rank = static_cast<std::uint64_t>(static_cast<double>(count_) *
                                      std::pow(eta_ * share - eta_ + 1, 1 / (1 - zipf)));
  } else if (share * zeta_ >= 1) {
    rank = 1;
  }
  // Scattered, so that popular keys are not neighbours on the disk.
  return (rank * 0x9e3779b97f4a7c15) % count_;
}

Sample run_load(asio::io_context& io, const Load& load, Keys& keys, std::span<const pid_t> others,
                const Start& start) {
  return ClosedLoop(io, load, keys, others, start).run();
}

void run_each(asio::io_context& io, std::uint64_t count, std::size_t in_flight,
              const Start& start) {
  std::uint64_t missing = count;
  std::uint64_t next = 0;
  const std::function<void()> one = [&] {
    if (next == count) return;
    start(next++, [&] {
      --missing;
      one();
    });
  };
  for (std::size_t i = 0; i < in_flight; ++i) one();
  io.restart();
  while (missing > 0) io.run_one();
}

Sample run_blocking(const Load& load, Keys& keys, std::span<const pid_t> others,
                    const std::function<void(std::uint64_t key)>& operation) {
  Meter meter(others);
  for (const bool measures : {false, true}) {
    meter.begin();
    const Clock::time_point end =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                           measures ? load.seconds : load.warm_up_seconds));
    for (Clock::time_point before = Clock::now(); before < end;) {
      operation(keys.next());
      const Clock::time_point after = Clock::now();
      meter.add(after - before);
      before = after;
    }
  }
  return meter.end();
}

double run_threads(int threads, const Load& load, std::uint64_t key_count,
                   const std::function<std::function<void(std::uint64_t key)>()>& make_operation) {
  std::vector<double> rates(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    running.emplace_back([&, i] {
      Keys keys(key_count, i + 1);
      rates[i] = run_blocking(load, keys, {}, make_operation()).per_second;
    });
  }
  for (std::thread& thread : running) thread.join();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

double cpu_seconds(std::span<const pid_t> others) {
  const auto of = [](clockid_t clock) {
    timespec time{};
    return clock_gettime(clock, &time) == 0
               ? static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9
               : 0.0;
  };
  double sum = of(CLOCK_PROCESS_CPUTIME_ID);
  for (const pid_t pid : others) {
    clockid_t clock{};
    if (clock_getcpuclockid(pid, &clock) == 0) sum += of(clock);
  }
  return sum;
}

double percentile(std::vector<float>& times, double share) {
  if (times.empty()) return 0;
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(times.size() - 1));
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(times.begin(), at, times.end());
  return static_cast<double>(*at);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace bench

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace demo {

// Times of one kind of operation.
class Latencies {
 public:
  void add(std::int64_t microseconds) { times_.push_back(microseconds); }
  std::size_t count() const { return times_.size(); }
  // "  12,345   0.31   1.20   4.05": count and p50, p99, p99.9 in milliseconds.
  std::string row();

 private:
  double percentile(double share) const;
  std::vector<std::int64_t> times_;
};

// One line that is redrawn on a terminal; a line of its own now and then elsewhere.
class Progress {
 public:
  Progress();
  void show(const std::string& text, bool force = false);
  void finish();

 private:
  const bool terminal_;
  std::int64_t last_ms_ = 0;
  bool open_ = false;
};

std::string grouped(std::size_t number);  // 12,345

}  // namespace demo

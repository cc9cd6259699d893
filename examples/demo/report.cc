#include "report.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace demo {

std::string grouped(std::size_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

double Latencies::percentile(double share) const {
  if (times_.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(times_.size())));
  return static_cast<double>(times_[std::max<std::size_t>(rank, 1) - 1]) / 1000;
}

std::string Latencies::row() {
  std::ranges::sort(times_);
  char text[128];
  std::snprintf(text, sizeof(text), "%10s %9.2f %9.2f %9.2f", grouped(times_.size()).c_str(),
                percentile(0.5), percentile(0.99), percentile(0.999));
  return text;
}

Progress::Progress() : terminal_(::isatty(STDOUT_FILENO) == 1) {}

void Progress::show(const std::string& text, bool force) {
  using std::chrono::milliseconds;
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t now_ms = std::chrono::duration_cast<milliseconds>(since).count();
  if (!force && now_ms - last_ms_ < (terminal_ ? 100 : 5000)) return;
  last_ms_ = now_ms;
  open_ = terminal_;
  std::printf(terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
  std::fflush(stdout);
}

void Progress::finish() {
  if (open_) std::printf("\n");
  open_ = false;
}

}  // namespace demo

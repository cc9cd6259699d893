#include "soak_report.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include <fmt/format.h>

#include "scale/plot.h"

namespace test {

namespace {

double file_ratio(const SoakSample& sample) {
  return sample.page_bytes > 0 ? sample.database_bytes / sample.page_bytes : 0;
}

// So many parts of the samples are not above it. REQUIRES: there are some.
template <class Of>
double quantile(std::span<const SoakSample> samples, double part, const Of& of) {
  std::vector<double> values;
  for (const SoakSample& sample : samples) values.push_back(static_cast<double>(of(sample)));
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

}  // namespace

std::string SoakReport::table() const {
  std::string text = fmt::format("{:>6} {:>8} {:>8} {:>12} {:>8} {:>10} {:>10}\n", "round",
                                 "minutes", "MiB", "descriptors", "hints", "files MiB", "to data");
  // Forty lines tell as much as four hundred.
  const std::size_t step = samples_.size() / 40 + 1;
  for (std::size_t i = 0; i < samples_.size(); i += step) {
    const SoakSample& sample = samples_[i];
    text += fmt::format("{:>6} {:>8.1f} {:>8} {:>12} {:>8} {:>10.1f} {:>10.2f}\n", i,
                        sample.minutes, sample.kibibytes / 1024, sample.descriptors, sample.hints,
                        sample.database_bytes / (1 << 20), file_ratio(sample));
  }
  return text;
}

std::string SoakReport::svg() const {
  bench::Plot plot("Five processes under faults: each over its mean", "minutes", "");
  const auto line = [&](const char* name, const auto& of) {
    double sum = 0;
    for (const SoakSample& sample : samples_) sum += static_cast<double>(of(sample));
    const double mean = std::max(1e-9, sum / static_cast<double>(samples_.size()));
    bench::Plot::Line added{.name = fmt::format("{}, mean {:.4g}", name, mean)};
    for (const SoakSample& sample : samples_) {
      added.points.emplace_back(sample.minutes, static_cast<double>(of(sample)) / mean);
    }
    plot.lines.push_back(std::move(added));
  };
  line("memory, MiB",
       [](const SoakSample& sample) { return static_cast<double>(sample.kibibytes) / 1024; });
  line("descriptors", [](const SoakSample& sample) { return sample.descriptors; });
  line("hints before healing", [](const SoakSample& sample) { return sample.hints; });
  line("files to data", file_ratio);
  return plot.svg();
}

std::string SoakReport::growth() const {
  constexpr std::size_t rounds_min = 12;
  constexpr double megabytes_min = 20;  // a small database is mostly slack
  if (samples_.size() < rounds_min) return {};
  const std::span all(samples_);
  const std::span middle = all.subspan(all.size() / 3, all.size() / 3);
  const std::span last = all.subspan(2 * all.size() / 3);
  std::string growth;
  // What a process has depends on the faults of the round, so memory goes up and down.
  constexpr double half = 0.5;
  constexpr double all_of_them = 1;
  const auto compare = [&](const char* what, double part, const auto& of, double factor,
                           double slack) {
    const double before = quantile(middle, part, of);
    const double after = quantile(last, part, of);
    if (after > factor * before + slack) {
      growth += fmt::format("{} went from {:.0f} to {:.0f}\n", what, before, after);
    }
  };
  compare(
      "memory, KiB", half, [](const SoakSample& sample) { return sample.kibibytes; }, 1.3, 20480);
  compare(
      "descriptors", all_of_them, [](const SoakSample& sample) { return sample.descriptors; }, 1,
      4);
  compare(
      "hints", all_of_them, [](const SoakSample& sample) { return sample.hints; }, 2, 1000);
  if (all.back().page_bytes > megabytes_min * 1e6 && file_ratio(all.back()) > 1.5) {
    growth += fmt::format("the files are {:.2f} times the data\n", file_ratio(all.back()));
  }
  return growth;
}

}  // namespace test

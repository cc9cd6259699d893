#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "speed/report.h"
#include "speed/sample.h"

namespace bench {

struct Scale {
  std::uint64_t keys = 100'000;
  double seconds = 0.6;  // of one sample
  double flushes = 10;   // that many flush intervals for samples that need a steady state
};

struct Setting {
  std::string program{};  // of the processes that a suite starts
  std::filesystem::path directory{};
  Scale scale{};
  std::vector<int> all_processors{};  // everything keeps to the last of them but for what says not
};

// Something with its own clusters and baselines, up and filled, and the rows of what it measures.
class Suite {
 public:
  virtual ~Suite() = default;
  virtual std::vector<Probe> probes() = 0;
  virtual std::vector<Row> rows() const = 0;
  // Whether each probe goes on from the one before: then no round has the opposite order.
  virtual bool in_order() const { return false; }
};

struct NamedSuite {
  std::string name{};
  std::function<std::unique_ptr<Suite>(const Setting&)> make{};
};

// What `--full` measures beyond the main rows.
std::vector<NamedSuite> suites();

}  // namespace bench

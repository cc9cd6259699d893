#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bench {

// What one probe has measured in one round.
struct Sample {
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double per_second = 0;
  double cpu_us = 0;  // per operation, of all processes that take part
  double value = 0;   // of what is neither a time nor a rate
};

// Something that is measured once in every round, so that whatever else the machine does meets the
// library and what it is compared with alike.
struct Probe {
  std::string name{};
  std::function<Sample()> measure{};
};

// By probe; one sample for each round.
using Samples = std::map<std::string, std::vector<Sample>>;

// The median; 0 for none.
double median(std::vector<double> values);

}  // namespace bench

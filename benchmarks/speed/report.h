#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "speed/sample.h"

namespace bench {

// The samples of one round, by probe.
using Round = std::function<const Sample&(const std::string& probe)>;

// One line of the table: the library against a baseline.
struct Row {
  std::string operation{};
  std::string against{};
  double must = 0;  // 0: nothing is asked of it
  double aim = 0;
  enum class Better { lower, higher } better = Better::lower;
  std::vector<std::string> probes{};  // that it is computed of
  std::function<double(const Round&)> ratio{};
};

// A row that is one figure of one probe over the same figure of another.
Row quotient(std::string operation, std::string against, double must, double aim,
             double Sample::*field, std::string subject, std::string baseline);
// A row that is a figure of a probe as it is.
Row figure(std::string operation, double must, double aim, double Sample::*field,
           std::string subject);

// A row whose probes have all run.
struct Result {
  Row row{};
  std::vector<double> ratios{};  // by round
  double median = 0;
  bool reached() const {
    if (row.must == 0) return true;
    return row.better == Row::Better::lower ? median <= row.must : median >= row.must;
  }
};

std::vector<Result> evaluate(const std::vector<Row>& rows, const Samples& samples);

// What was measured, as a table for people.
std::string to_table(const std::vector<Result>& results, const Samples& samples);
// The same for programs: every ratio and every sample.
std::string to_json(const std::vector<Result>& results, const Samples& samples);
// A bar for each row: how far it is from what it must be, on a logarithmic scale.
std::string to_svg(const std::vector<Result>& results);

void write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace bench

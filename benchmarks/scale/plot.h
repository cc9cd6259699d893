#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

// Lines over a common axis, as SVG.
struct Plot {
  struct Line {
    std::string name{};
    std::vector<std::pair<double, double>> points{};
  };

  Plot(std::string plot_title, std::string x_name, std::string y_name)
      : title(std::move(plot_title)), x(std::move(x_name)), y(std::move(y_name)) {}
  std::string svg() const;

  std::string title;
  std::string x;
  std::string y;
  bool logarithmic = false;  // both axes
  std::vector<Line> lines{};
};

}  // namespace bench

#include "scale/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace bench {

namespace {

constexpr double left = 70;
constexpr double top = 40;
constexpr double width = 560;
constexpr double height = 340;

// From values to pixels.
struct Axis {
  double low = std::numeric_limits<double>::max();
  double high = std::numeric_limits<double>::lowest();
  bool logarithmic = false;

  double scaled(double value) const {
    return logarithmic ? std::log10(std::max(value, 1e-6)) : value;
  }
  void cover(double value) {
    low = std::min(low, scaled(value));
    high = std::max(high, scaled(value));
  }
  double part(double value) const {
    return high > low ? (scaled(value) - low) / (high - low) : 0.5;
  }
  std::vector<double> ticks() const {
    std::vector<double> ticks;
    if (logarithmic) {
      for (double power = std::ceil(low - 1e-9); power <= high + 1e-9; ++power) {
        ticks.push_back(std::pow(10, power));
      }
      return ticks;
    }
    const double raw = std::max(high - low, 1e-9) / 5;
    const double unit = std::pow(10, std::floor(std::log10(raw)));
    const double step = raw / unit > 5 ? 10 * unit : raw / unit > 2 ? 5 * unit : 2 * unit;
    for (double at = std::ceil(low / step) * step; at <= high + step / 100; at += step) {
      ticks.push_back(at);
    }
    return ticks;
  }
};

}  // namespace

std::string Plot::svg() const {
  constexpr std::array colours = {"#1b6", "#d53", "#27c", "#a3a", "#b80", "#555"};
  Axis across{.logarithmic = logarithmic};
  Axis up{.logarithmic = logarithmic};
  for (const Line& line : lines) {
    for (const auto& [at, value] : line.points) {
      across.cover(at);
      up.cover(value);
    }
  }
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='920' height='440' font-family='sans-serif' "
      "font-size='12'>\n<rect width='920' height='440' fill='white'/>\n"
      "<text x='{}' y='20' font-size='14'>{}</text>\n<text x='{}' y='{}'>{}</text>\n"
      "<text x='10' y='{}'>{}</text>\n",
      left, title, left + width / 2, top + height + 40, x, top - 6, y);
  for (const double tick : across.ticks()) {
    const double at = left + width * across.part(tick);
    svg += fmt::format(
        "<line x1='{0:.1f}' y1='{1}' x2='{0:.1f}' y2='{2}' stroke='#ddd'/>\n"
        "<text x='{0:.1f}' y='{3}' text-anchor='middle'>{4:g}</text>\n",
        at, top, top + height, top + height + 18, tick);
  }
  for (const double tick : up.ticks()) {
    const double at = top + height * (1 - up.part(tick));
    svg += fmt::format(
        "<line x1='{1}' y1='{0:.1f}' x2='{2}' y2='{0:.1f}' stroke='#ddd'/>\n"
        "<text x='{3}' y='{4:.1f}' text-anchor='end'>{5:g}</text>\n",
        at, left, left + width, left - 6, at + 4, tick);
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const char* colour = colours[i % colours.size()];
    std::string points;
    for (const auto& [at, value] : lines[i].points) {
      const double px = left + width * across.part(at);
      const double py = top + height * (1 - up.part(value));
      points += fmt::format("{:.1f},{:.1f} ", px, py);
      svg += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='3' fill='{}'/>\n", px, py, colour);
    }
    svg += fmt::format("<polyline points='{}' fill='none' stroke='{}' stroke-width='2'/>\n", points,
                       colour);
    const double key = top + 14 + 20 * static_cast<double>(i);
    svg += fmt::format(
        "<rect x='{0}' y='{1}' width='14' height='4' fill='{2}'/>\n"
        "<text x='{3}' y='{4}'>{5}</text>\n",
        left + width + 20, key - 6, colour, left + width + 40, key, lines[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace bench

#include "speed/report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "speed/child.h"

namespace bench {

namespace {

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += between;
    text += part;
  }
  return text;
}

std::string median_of(const std::vector<Sample>& samples, double Sample::*field) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.*field);
  const double value = median(values);
  return value == 0 ? "" : fmt::format("{:.{}f}", value, value < 100 ? 2 : 0);
}

const char* sign(const Row& row) { return row.better == Row::Better::lower ? "<=" : ">="; }

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  }
  return out;
}

}  // namespace

Row quotient(std::string operation, std::string against, double must, double aim,
             double Sample::*field, std::string subject, std::string baseline) {
  const auto ratio = [=](const Round& round) {
    return round(subject).*field / (round(baseline).*field);
  };
  return {.operation = std::move(operation),
          .against = std::move(against),
          .must = must,
          .aim = aim,
          .better = field == &Sample::per_second ? Row::Better::higher : Row::Better::lower,
          .probes = {subject, baseline},
          .ratio = ratio};
}

Row figure(std::string operation, double must, double aim, double Sample::*field,
           std::string subject) {
  return {.operation = std::move(operation),
          .against = "",
          .must = must,
          .aim = aim,
          .probes = {subject},
          .ratio = [=](const Round& round) { return round(subject).*field; }};
}

std::vector<Result> evaluate(const std::vector<Row>& rows, const Samples& samples) {
  std::vector<Result> results;
  for (const Row& row : rows) {
    std::size_t rounds = SIZE_MAX;
    for (const std::string& probe : row.probes) {
      const auto at = samples.find(probe);
      rounds = std::min(rounds, at == samples.end() ? 0 : at->second.size());
    }
    if (rounds == 0) continue;
    Result result{.row = row};
    for (std::size_t i = 0; i < rounds; ++i) {
      result.ratios.push_back(row.ratio(
          [&](const std::string& probe) -> const Sample& { return samples.at(probe)[i]; }));
    }
    result.median = median(result.ratios);
    results.push_back(std::move(result));
  }
  return results;
}

std::string to_table(const std::vector<Result>& results, const Samples& samples) {
  std::string text = fmt::format("{:<44} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "measured",
                                 "p50 us", "p99 us", "ops/s", "CPU us/op", "figure");
  for (const auto& [name, rounds] : samples) {
    text += fmt::format("{:<44} {:>10} {:>10} {:>10} {:>10} {:>10}\n", name,
                        median_of(rounds, &Sample::p50_us), median_of(rounds, &Sample::p99_us),
                        median_of(rounds, &Sample::per_second), median_of(rounds, &Sample::cpu_us),
                        median_of(rounds, &Sample::value));
  }
  text += fmt::format("\n{:<44} {:<46} {:>6} {:>8} {:>6}  {}\n", "operation", "against", "ratio",
                      "must", "aim", "rounds");
  for (const Result& result : results) {
    std::vector<std::string> rounds;
    for (const double ratio : result.ratios) rounds.push_back(fmt::format("{:.2f}", ratio));
    const std::string wanted = result.row.must == 0
                                   ? ""
                                   : fmt::format("{:>2} {:>5.2f} {:>6.2f}", sign(result.row),
                                                 result.row.must, result.row.aim);
    text += fmt::format("{:<44} {:<46} {:>6.2f} {:>15}  {} {}\n", result.row.operation,
                        result.row.against, result.median, wanted, joined(rounds, " "),
                        result.reached() ? "" : "(not reached)");
  }
  return text;
}

std::string to_json(const std::vector<Result>& results, const Samples& samples) {
  std::vector<std::string> rows;
  for (const Result& result : results) {
    std::vector<std::string> ratios;
    for (const double ratio : result.ratios) ratios.push_back(fmt::format("{:.4f}", ratio));
    rows.push_back(fmt::format(
        R"(    {{"operation": "{}", "against": "{}", "better": "{}", "must": {}, "aim": {}, )"
        R"("median": {:.4f}, "ratios": [{}]}})",
        result.row.operation, result.row.against,
        result.row.better == Row::Better::lower ? "lower" : "higher", result.row.must,
        result.row.aim, result.median, joined(ratios, ", ")));
  }
  std::vector<std::string> probes;
  for (const auto& [name, rounds] : samples) {
    std::vector<std::string> texts;
    for (const Sample& sample : rounds) {
      texts.push_back(fmt::format(
          R"({{"p50_us": {:.3f}, "p99_us": {:.3f}, "p999_us": {:.3f}, "per_second": {:.1f}, )"
          R"("cpu_us": {:.3f}, "value": {:.3f}}})",
          sample.p50_us, sample.p99_us, sample.p999_us, sample.per_second, sample.cpu_us,
          sample.value));
    }
    probes.push_back(fmt::format(R"(    "{}": [{}])", name, joined(texts, ", ")));
  }
  return fmt::format("{{\n  \"rows\": [\n{}\n  ],\n  \"samples\": {{\n{}\n  }}\n}}\n",
                     joined(rows, ",\n"), joined(probes, ",\n"));
}

std::string to_svg(const std::vector<Result>& results) {
  constexpr double text_width = 470;
  constexpr double middle = text_width + 240;  // where a row is just what it must be
  constexpr double doubling = 60;
  constexpr int row_height = 24;
  const int height = row_height * (static_cast<int>(results.size()) + 2);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='960' height='{}' font-family='sans-serif' "
      "font-size='12'>\n<rect width='960' height='{}' fill='white'/>\n"
      "<text x='10' y='16'>to the left of the line: better than it must be (as the floor, if "
      "nothing is "
      "asked of it), each 60 pixels by a factor of two; tick: the aim</text>\n",
      height, height);
  const auto place = [&](const Result& result, double value) {
    const double must = result.row.must == 0 ? 1 : result.row.must;
    const double worse = result.row.better == Row::Better::lower ? value / must : must / value;
    return middle + doubling * std::clamp(std::log2(worse), -3.5, 3.5);
  };
  int y = row_height;
  for (const Result& result : results) {
    const double end = place(result, result.median);
    const double aim = place(result, result.row.must == 0 ? 1 : result.row.aim);
    svg += fmt::format(
        "<text x='10' y='{}'>{}</text>\n"
        "<rect x='{:.0f}' y='{}' width='{:.0f}' height='14' fill='{}'/>\n"
        "<rect x='{:.0f}' y='{}' width='2' height='18' fill='#444'/>\n"
        "<text x='{}' y='{}'>{:.2f}</text>\n",
        y + 15, escaped(result.row.operation), std::min(middle, end), y + 4, std::abs(end - middle),
        result.reached() ? "#4a9" : "#d75", aim, y + 2, 910, y + 15, result.median);
    y += row_height;
  }
  return svg + fmt::format("<line x1='{0}' y1='{1}' x2='{0}' y2='{2}' stroke='black'/>\n</svg>\n",
                           middle, row_height, y);
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path);
  file << text;
  if (!file.flush()) give_up(fmt::format("cannot write {}", path.string()));
}

}  // namespace bench

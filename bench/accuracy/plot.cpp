#include "bench/accuracy/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "bench/accuracy/evaluate.hpp"

namespace lockstep::accuracy {
namespace {

constexpr int columns = 3;
constexpr double panel_width = 350, panel_height = 240;           // with margins
constexpr double left = 52, top = 40, width = 262, height = 150;  // of the plot in its panel
constexpr double header = 34;

/// A logarithmic axis from `low` to `high` over `length` pixels.
struct Axis {
  double low, high, length;
  [[nodiscard]] double at(double value) const { return std::log(value / low) / std::log(high / low) * length; }
};

std::string size_text(double bytes) {
  static constexpr std::pair<double, const char*> units[] = {{1 << 30, "Gi"}, {1 << 20, "Mi"}, {1 << 10, "Ki"}};
  for (const auto& [factor, unit] : units)
    if (bytes >= factor) return fmt::format("{:g} {}B", bytes / factor, unit);
  return fmt::format("{:g} B", bytes);
}

std::string time_text(double us) {
  if (us >= 1e6) return fmt::format("{:g} s", us / 1e6);
  return us >= 1e3 ? fmt::format("{:g} ms", us / 1e3) : fmt::format("{:g} us", us);
}

std::string errors_text(const Table& table) {
  const ByBand errors = errors_of(table);
  std::string text;
  for (std::size_t band = 0; band < band_count; ++band)
    if (!errors[band].empty())
      text += fmt::format("{}{}: {:.0f}%", text.empty() ? "median error " : ", ", band_names[band],
                          100 * errors[band].median());
  for (std::size_t at = 0; (at = text.find(">=")) != std::string::npos;) text.replace(at, 2, "≥");
  for (std::size_t at = 0; (at = text.find("< ")) != std::string::npos;) text.replace(at, 2, "&lt; ");
  return text;
}

std::string panel(const Table& table, double x, double y) {
  double least_us = 1e300, most_us = 0;
  for (const Row& row : table.rows) {
    const double predicted = predicted_us(table, row.bytes);
    least_us = std::min({least_us, row.measured_us, predicted});
    most_us = std::max({most_us, row.measured_us, predicted});
  }
  const auto [smallest, largest] = std::minmax_element(table.rows.begin(), table.rows.end(),
                                                       [](const Row& a, const Row& b) { return a.bytes < b.bytes; });
  const Axis sizes{static_cast<double>(smallest->bytes) / 1.5, static_cast<double>(largest->bytes) * 1.5, width};
  const Axis times{least_us / 1.4, most_us * 1.4, height};
  const auto px = [&](double bytes) { return left + sizes.at(bytes); };
  const auto py = [&](double us) { return top + height - times.at(us); };

  std::string svg = fmt::format("<g transform=\"translate({:.0f} {:.0f})\">\n", x, y);
  svg += fmt::format("<text x=\"{}\" y=\"14\" class=\"title\">{}</text>\n", left, table.name);
  svg += fmt::format("<text x=\"{}\" y=\"29\">{}</text>\n", left, errors_text(table));
  for (double us = std::pow(10.0, std::ceil(std::log10(times.low))); us < times.high; us *= 10)
    svg += fmt::format(
        "<path d=\"M{0} {1:.1f}h{2}\" class=\"grid\"/><text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        left, py(us), width, left - 5, py(us) + 3.5, time_text(us));
  for (double bytes = 1; bytes < sizes.high; bytes *= 64)
    if (bytes > sizes.low)
      svg += fmt::format(
          "<path d=\"M{0:.1f} {1}v{2}\" class=\"grid\"/><text x=\"{0:.1f}\" y=\"{3}\" "
          "text-anchor=\"middle\">{4}</text>\n",
          px(bytes), top, height, top + height + 14, size_text(bytes));
  svg +=
      fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"frame\"/>\n", left, top, width, height);
  // The model between the measured sizes too: two points per doubling.
  std::string line;
  for (double bytes = static_cast<double>(smallest->bytes); bytes <= static_cast<double>(largest->bytes) * 1.001;
       bytes *= std::sqrt(2.0))
    line += fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", px(bytes),
                        py(predicted_us(table, static_cast<std::int64_t>(bytes + 0.5))));
  svg += fmt::format("<path d=\"{}\" class=\"model\"/>\n", line);
  for (const Row& row : table.rows)
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\"/>\n", px(static_cast<double>(row.bytes)),
                       py(row.measured_us));
  return svg + "</g>\n";
}

}  // namespace

std::string plot(std::span<const Table> tables) {
  const double rows = std::ceil(static_cast<double>(tables.size()) / columns);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\">\n"
      "<style>text{{font:10px sans-serif;fill:#333}}.title{{font-weight:bold;font-size:11px}}.grid{{stroke:#e4e4e4}}"
      ".frame{{fill:none;stroke:#999}}.model{{fill:none;stroke:#d55e00;stroke-width:1.6}}circle{{fill:#0072b2}}</"
      "style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<circle cx=\"{2}\" cy=\"17\" r=\"2.6\"/><text x=\"{3}\" y=\"21\">measured</text>"
      "<path d=\"M{4} 17h22\" class=\"model\"/><text x=\"{5}\" y=\"21\">predicted</text>"
      "<text x=\"{6}\" y=\"21\">time of one call by the size of the buffer</text>\n",
      columns * panel_width, header + rows * panel_height, left, left + 8, left + 80, left + 108, left + 180);
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::size_t row = i / columns;
    svg += panel(tables[i], static_cast<double>(i % columns) * panel_width,
                 header + static_cast<double>(row) * panel_height);
  }
  return svg + "</svg>\n";
}

}  // namespace lockstep::accuracy

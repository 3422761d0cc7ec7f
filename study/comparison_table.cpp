// The comparison for people: a text table, and the same as a self-contained page.
#include "core/base/text.hpp"
#include "core/units/quantity.hpp"
#include "study/comparison.hpp"

namespace lockstep {
namespace {

std::string time_text(double seconds) { return fmt::format("{:.2f}", seconds * 1e6); }

std::string percent(double fraction) { return fmt::format("{:.1f}%", 100 * fraction); }

struct Cells {
  std::vector<std::vector<std::string>> rows;  ///< the first is the header
  std::vector<std::string> totals;             ///< sentences below the table
};

Cells cells_of(const Comparison& comparison) {
  Cells cells;
  cells.rows.push_back({"collective", "algorithm", "ranks", "size", "predicted (us)", "measured (us)",
                        "[min ... p95] (us)", "error", "within noise", "note"});
  std::size_t noise_known = 0;
  std::size_t within = 0;
  std::size_t cpu_limited = 0;
  for (const auto& row : comparison.rows) {
    std::string note;
    if (row.cpu_limited.value_or(false)) {
      note = "CPU-limited";
      ++cpu_limited;
    }
    if (row.wrong.value_or(0) > 0) note += fmt::format("{}{} wrong elements", note.empty() ? "" : ", ", *row.wrong);
    if (row.within_noise) {
      ++noise_known;
      within += *row.within_noise ? 1 : 0;
    }
    const bool collective = row.size_bytes > 0 || !row.algorithm.empty();
    cells.rows.push_back(
        {collective ? row.kind : row.name, row.algorithm.empty() ? "-" : row.algorithm, std::to_string(row.ranks),
         collective ? format_bytes(Bytes{row.size_bytes}) : "-", time_text(row.predicted_s), time_text(row.measured_s),
         row.measured_min_s && row.measured_p95_s
             ? fmt::format("[{} ... {}]", time_text(*row.measured_min_s), time_text(*row.measured_p95_s))
             : "-",
         fmt::format("{:+.1f}%", 100 * row.signed_error), row.within_noise ? (*row.within_noise ? "yes" : "no") : "-",
         note});
  }
  if (comparison.median_error) {
    cells.totals.push_back(fmt::format("{} row{} compared: error median {}, p95 {}, max {}", comparison.rows.size(),
                                       comparison.rows.size() == 1 ? "" : "s", percent(*comparison.median_error),
                                       percent(comparison.p95_error.value_or(0)),
                                       percent(comparison.max_error.value_or(0))));
  } else {
    cells.totals.emplace_back("no row compared");
  }
  if (noise_known > 0)
    cells.totals.push_back(fmt::format("{} of {} predictions within the measurement's noise", within, noise_known));
  if (cpu_limited > 0)
    cells.totals.push_back(fmt::format("{} rows were limited by the CPU, not by the network", cpu_limited));
  if (!comparison.unmatched.empty())
    cells.totals.push_back(fmt::format("{} rows without a partner:", comparison.unmatched.size()));
  return cells;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

constexpr std::string_view page_head = R"(<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --line: #d0d7de; --soft: #57606a; --good: #1a7f37; --bad: #b35900; }
@media (prefers-color-scheme: dark) { :root { --line: #30363d; --soft: #8b949e; --good: #3fb950; --bad: #e3a03c; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .7rem; text-align: right; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
th:nth-child(-n+2), td:nth-child(-n+2), th:last-child, td:last-child { text-align: left; }
.yes { color: var(--good); } .no { color: var(--bad); }
</style>
)";

}  // namespace

std::string comparison_table(const Comparison& comparison) {
  const Cells cells = cells_of(comparison);
  std::string text = comparison.rows.empty() ? std::string{} : format_table(cells.rows);
  for (const auto& sentence : cells.totals) text += "# " + sentence + '\n';
  for (const auto& row : comparison.unmatched) text += "#   " + row + '\n';
  return text;
}

std::string comparison_html(const Comparison& comparison, const std::string& title) {
  const Cells cells = cells_of(comparison);
  std::string html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += page_head;
  html += fmt::format("<title>{0}</title>\n</head>\n<body>\n<h1>{0}</h1>\n", escaped(title));
  for (std::size_t i = 0; i < cells.totals.size(); ++i) {
    html += fmt::format("<p>{}</p>\n", escaped(cells.totals[i]));
  }
  if (!comparison.unmatched.empty()) {
    html += "<ul>\n";
    for (const auto& row : comparison.unmatched) html += fmt::format("<li>{}</li>\n", escaped(row));
    html += "</ul>\n";
  }
  if (!comparison.rows.empty()) {
    html += "<div class=\"scroll\">\n<table>\n<thead><tr>";
    for (const auto& cell : cells.rows.front()) html += fmt::format("<th scope=\"col\">{}</th>", escaped(cell));
    html += "</tr></thead>\n<tbody>\n";
    for (std::size_t r = 1; r < cells.rows.size(); ++r) {
      html += "<tr>";
      for (const auto& cell : cells.rows[r]) {
        if (cell == "yes" || cell == "no") {
          html += fmt::format("<td class=\"{0}\">{0}</td>", cell);
        } else {
          html += fmt::format("<td>{}</td>", escaped(cell));
        }
      }
      html += "</tr>\n";
    }
    html += "</tbody>\n</table>\n</div>\n";
  }
  return html + "</body>\n</html>\n";
}

}  // namespace lockstep

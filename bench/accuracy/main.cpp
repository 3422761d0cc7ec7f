// accuracy FOLDER [--fit] [--rows] [--plot FILE.svg]: the NCCL model against published tables.
//
// Per table and band of sizes: median and 90th percentile of the relative error; the same with the constants refitted
// without that table; the same for three quarters of the sizes when the rest fits the system's own offset, scale and
// transport latency. --fit prints the constants that fit the folder best. --rows prints every row. --plot draws them
// all.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>

#include "bench/accuracy/evaluate.hpp"
#include "bench/accuracy/plot.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "sim/nccl/time.hpp"

namespace lockstep::accuracy {
namespace {

constexpr int rounds_of_fit = 16;

std::vector<std::string> cells(const std::string& name, const ByBand& bands) {
  std::vector<std::string> line{name};
  for (const auto& errors : bands)
    line.push_back(errors.empty() ? "-" : fmt::format("{:.1f} / {:.1f}", 100 * errors.median(), 100 * errors.p90()));
  return line;
}

void print(const std::string& title, std::span<const Table> tables, const std::vector<ByBand>& found) {
  std::vector<std::vector<std::string>> lines{{title, band_names[large], band_names[middle], band_names[small]}};
  ByBand all;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    lines.push_back(cells(tables[i].name, found[i]));
    for (int band = 0; band < band_count; ++band)
      all[static_cast<std::size_t>(band)].add(found[i][static_cast<std::size_t>(band)]);
  }
  lines.push_back(cells("all rows", all));
  fmt::print("{}\n", format_table(lines));
}

void print_rows(std::span<const Table> tables) {
  for (const Table& table : tables) {
    for (const Row& row : table.rows) {
      const auto chosen = nccl::choose(table.system, table.kind, row.bytes);
      const double predicted = predicted_us(table, row.bytes);
      fmt::print("{:40} {:12} {:10} {:7} measured {:10.1f} predicted {:10.1f} us {:+6.1f}%\n", table.name, row.bytes,
                 nccl::to_string(chosen.algorithm), nccl::to_string(chosen.protocol), row.measured_us, predicted,
                 100 * (predicted / row.measured_us - 1));
    }
  }
}

void print_fit(std::span<const Table> tables) {
  auto fitted = fit(tables, sim::nccl::fitted_constants(), rounds_of_fit);
  auto start = sim::nccl::fitted_constants();
  const auto before = sim::nccl::free_constants(start);
  const auto after = sim::nccl::free_constants(fitted);
  for (std::size_t i = 0; i < after.size(); ++i)
    fmt::print("{:30} {:8.4g} -> {:8.4g}\n", after[i].name, *before[i].value, *after[i].value);
  std::vector<ByBand> found;
  for (const Table& table : tables) found.push_back(errors_of(table, fitted));
  print("refitted on all, median / p90 in %", tables, found);
}

int run(int count, char** arguments) {
  CLI::App app("The NCCL model against published tables of nccl-tests");
  std::string folder, picture;
  bool fitting = false, rows = false, quick = false;
  app.add_option("folder", folder, "Tables: NAME.csv with NAME.json")->required();
  app.add_flag("--fit", fitting, "Print the constants that fit these tables best");
  app.add_flag("--rows", rows, "Print every row");
  app.add_flag("--quick", quick, "Leave out the leave-one-table-out fits");
  app.add_option("--plot", picture, "Write measured and predicted times as a picture (SVG)");
  CLI11_PARSE(app, count, arguments);
  std::vector<std::string> left_out;
  const auto tables = load_tables(folder, left_out);
  for (const auto& reason : left_out) fmt::print(stderr, "left out: {}\n", reason);
  if (!picture.empty()) {
    std::ofstream file(picture);
    file << plot(tables);
    file.close();
    if (!file) throw InputError(fmt::format("{}: cannot be written", picture));
  }
  if (rows) print_rows(tables);
  if (fitting) print_fit(tables);
  std::vector<ByBand> found, corrected;
  for (const Table& table : tables) {
    found.push_back(errors_of(table));
    corrected.push_back(with_system_correction(table));
  }
  print("as shipped, median / p90 in %", tables, found);
  if (!quick)
    print("constants fitted without this table", tables,
          leave_one_out(tables, sim::nccl::prior_constants(), rounds_of_fit));
  print("system's own fit on every fourth size, the others", tables, corrected);
  return 0;
}

}  // namespace
}  // namespace lockstep::accuracy

int main(int count, char** arguments) {
  try {
    return lockstep::accuracy::run(count, arguments);
  } catch (const lockstep::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}

// p2p_accuracy FOLDER [--rows] [--topologies FOLDER]: the model of RDMA against published tables of perftest and OSU.
//
// Per table: median, 90th percentile and maximum of the relative error; all sizes of bandwidth, 64 B and more of
// latency.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "bench/p2p/tables.hpp"
#include "core/base/error.hpp"
#include "core/base/statistics.hpp"
#include "core/base/text.hpp"

namespace lockstep::p2p {
namespace {

int run(int count, char** arguments) {
  CLI::App app("The model of RDMA against published tables of perftest and the OSU micro-benchmarks");
  std::string folder, topologies = "topologies";
  bool rows = false;
  app.add_option("folder", folder, "Tables: NAME.csv with NAME.json")->required();
  app.add_option("--topologies", topologies, "Where hdr200_pair.yaml and ethernet_vm_pair.yaml are")
      ->capture_default_str();
  app.add_flag("--rows", rows, "Print every row");
  CLI11_PARSE(app, count, arguments);
  std::vector<std::string> left_out;
  const auto tables = load_tables(folder, topologies, left_out);
  for (const auto& reason : left_out) fmt::print(stderr, "left out: {}\n", reason);
  if (rows)
    for (const auto& table : tables)
      for (const auto& row : table.rows)
        fmt::print("{:42} {:8} B measured {:10.4f} predicted {:10.4f} {} {:+6.1f}%\n", table.name, row.bytes,
                   row.measured, row.predicted, table.latency ? "us  " : "GB/s", 100 * row.error());
  std::vector<std::vector<std::string>> lines{
      {"table", "NIC", "software", "test", "of", "median (%)", "p90 (%)", "max (%)"}};
  for (const auto& table : tables) {
    const auto errors = errors_of(table);
    if (errors.empty()) continue;
    lines.push_back({table.name, table.nic, table.software, table.test, table.latency ? "latency" : "bandwidth",
                     fmt::format("{:.1f}", 100 * percentile(errors, 0.5)),
                     fmt::format("{:.1f}", 100 * percentile(errors, 0.9)), fmt::format("{:.1f}", 100 * errors.back())});
  }
  fmt::print("{}", format_table(lines));
  return 0;
}

}  // namespace
}  // namespace lockstep::p2p

int main(int count, char** arguments) {
  try {
    return lockstep::p2p::run(count, arguments);
  } catch (const lockstep::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}

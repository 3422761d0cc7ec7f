#include "bench/p2p/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "bench/table_files.hpp"
#include "core/base/error.hpp"
#include "core/config/document.hpp"
#include "core/topology/routing.hpp"
#include "sim/rdma/layers.hpp"

namespace lockstep::p2p {
namespace {

using Facts = nlohmann::json;
namespace rdma = sim::rdma;

/// All that is said of a system and its test, as one text.
std::string text_of(const Facts& facts) {
  std::string text;
  for (const char* key : {"test", "link", "system", "source"})
    if (facts.contains(key) && facts[key].is_string()) text += facts[key].get<std::string>() + "\n";
  return text;
}

bool has(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

struct Column {
  const char* name;
  bool latency;
  double factor;  ///< to microseconds or GB/s
};
constexpr Column columns[] = {{"bw_avg_Gbps", false, 1.0 / 8},
                              {"bandwidth_MBps", false, 1e-3},
                              {"latency_us", true, 1},
                              {"t_typical_us", true, 1},
                              {"t_avg_us", true, 1}};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) {
    if (!cell.empty() && cell.back() == '\r') cell.pop_back();
    cells.push_back(cell);
  }
  return cells;
}

void read_rows(const std::string& path, Table& table) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const auto head = cells_of(line);
  const Column* column = nullptr;
  std::size_t at = 0;
  for (const Column& known : columns)
    if (const auto found = std::find(head.begin(), head.end(), known.name); found != head.end() && column == nullptr) {
      column = &known;
      at = static_cast<std::size_t>(found - head.begin());
    }
  if (column == nullptr || head.empty() || head.front() != "size_bytes")
    throw InputError(path + ": the header needs size_bytes and bw_avg_Gbps, bandwidth_MBps or latency_us");
  table.latency = column->latency;
  while (std::getline(file, line)) {
    const auto cells = cells_of(line);
    Row row;
    if (cells.size() != head.size() || !(std::istringstream(cells[0]) >> row.bytes) ||
        !(std::istringstream(cells[at]) >> row.measured) || row.measured <= 0)
      throw InputError(fmt::format("{}: not a row: {}", path, line));
    row.measured *= column->factor;
    if (row.bytes > 0) table.rows.push_back(row);
  }
}

struct System {
  std::string topology;
  std::string bandwidth;  ///< of its link; empty: as in the file
  const rdma::Software* software = nullptr;
  rdma::Verb verb = rdma::Verb::send;
};

std::optional<System> system_of(const std::string& text) {
  System system;
  const bool perftest = has(text, {"ib_write", "ib_read", "ib_send"});
  if (perftest)
    system.verb = has(text, {"ib_write"})  ? rdma::Verb::write
                  : has(text, {"ib_read"}) ? rdma::Verb::read
                                           : rdma::Verb::send;
  else if (!has(text, {"osu_"}))
    return std::nullopt;
  if (has(text, {"TCP", "UCX_TLS=tcp"})) {
    system.topology = "ethernet_vm_pair.yaml";
    system.software = &software_of(rdma::Layer::ucx_tcp);
    return system;
  }
  system.topology = "hdr200_pair.yaml";
  system.software = &software_of(perftest ? rdma::Layer::verbs : rdma::Layer::ucx);
  const std::pair<const char*, const char*> rates[] = {
      {"XDR", "800Gbps"}, {"NDR", "400Gbps"}, {"HDR", "200Gbps"}, {"EDR", "100Gbps"}};
  for (const auto& [generation, bandwidth] : rates)
    if (system.bandwidth.empty() && has(text, {generation})) system.bandwidth = bandwidth;
  if (system.bandwidth.empty()) return std::nullopt;
  return system;
}

rdma::Path path_of(const System& system, const std::string& topologies) {
  const std::string file = topologies + "/" + system.topology;
  config::Node root = config::load_file(file);
  if (!system.bandwidth.empty()) config::set_key(root, "generate.star.link.bandwidth", system.bandwidth);
  const Topology topology = read_topology(root, file);
  return rdma::path_between(topology, Routing(topology), topology.endpoint(0), topology.endpoint(1));
}

double predicted(const System& system, const rdma::Path& path, bool latency, Bytes size) {
  constexpr std::int64_t iterations = 5000;
  rdma::VerbsTest test;
  test.verb = system.verb;
  test.size = size;
  test.inline_up_to = latency ? path.nic->max_inline : Bytes{0};
  if (latency) return to_seconds(rdma::latency(path, *system.software, test).total()) * 1e6;
  const Duration time = rdma::throughput(path, *system.software, test, iterations).total;
  return static_cast<double>(size.count()) * iterations / to_seconds(time) * 1e-9;
}

}  // namespace

std::vector<Table> load_tables(const std::string& folder, const std::string& topologies,
                               std::vector<std::string>& left_out) {
  std::vector<Table> tables;
  for (auto& path : table_files(folder)) {
    Table table;
    table.name = path.stem().string();
    Facts facts;
    try {
      std::ifstream file(path);
      facts = Facts::parse(file);
    } catch (const nlohmann::json::exception& error) {
      throw InputError(fmt::format("{}: {}", path.string(), error.what()));
    }
    const auto system = system_of(text_of(facts));
    if (!system) {
      left_out.push_back(table.name + ": its test or the generation of its link is not known");
      continue;
    }
    read_rows(path.replace_extension(".csv").string(), table);
    const rdma::Path way = path_of(*system, topologies);
    table.nic = system->software->layer == rdma::Layer::ucx_tcp ? "-" : way.nic->name;
    table.software = system->software->name;
    table.test = std::string(to_string(system->verb));
    for (Row& row : table.rows) row.predicted = predicted(*system, way, table.latency, Bytes{row.bytes});
    tables.push_back(std::move(table));
  }
  if (tables.empty()) throw InputError(folder + ": no tables (NAME.json with NAME.csv)");
  return tables;
}

std::vector<double> errors_of(const Table& table) {
  std::vector<double> errors;
  for (const Row& row : table.rows)
    if (!table.latency || row.bytes >= 64) errors.push_back(std::abs(row.error()));
  std::sort(errors.begin(), errors.end());
  return errors;
}

}  // namespace lockstep::p2p

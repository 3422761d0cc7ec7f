#include "bench/storage/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/workload/workload.hpp"
#include "sim/storage/loader.hpp"

namespace lockstep::storage {
namespace {

constexpr double MiB = 1 << 20;
constexpr auto software_fixed = microseconds(500);
constexpr auto software_jitter = microseconds(200);

/// Cells of a line of CSV; quoted cells may hold commas.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      cells.emplace_back();
    else if (c != '\r')
      cells.back() += c;
  }
  return cells;
}

double number(const std::string& text, const std::string& where) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty())
    throw InputError(fmt::format("{}: '{}' is no number", where, text));
  return value;
}

}  // namespace

bool Row::fitted() const {
  return system.find("F8000X") != std::string::npos && hosts == 1 && workload == "cosmoflow" && accelerator == "h100";
}

std::vector<Row> load_rows(const std::string& file) {
  std::istringstream text(read_text_file(file));
  std::string line;
  std::getline(text, line);
  const auto header = cells_of(line);
  std::vector<Row> rows;
  for (int number_of_line = 2; std::getline(text, line); ++number_of_line) {
    const auto cells = cells_of(line);
    const std::string where = fmt::format("{}:{}", file, number_of_line);
    const auto cell = [&](const char* name) {
      const auto place = std::find(header.begin(), header.end(), name) - header.begin();
      if (place >= static_cast<std::ptrdiff_t>(cells.size()))
        throw InputError(fmt::format("{}: no column '{}'", where, name));
      return cells[static_cast<std::size_t>(place)];
    };
    Row row;
    row.system = cell("division") + "/" + cell("submitter") + "/" + cell("system");
    row.workload = cell("workload");
    row.accelerator = cell("emulated_accelerator");
    row.accelerators = static_cast<int>(number(cell("num_accelerators"), where));
    row.hosts = static_cast<int>(number(cell("num_hosts"), where));
    row.utilisation = number(cell("au_mean_pct"), where) / 100;
    row.samples_per_s = number(cell("throughput_samples_per_s_mean"), where);
    row.read_Bps = number(cell("io_MB_per_s_mean"), where) * MiB;
    rows.push_back(std::move(row));
  }
  std::map<std::string, std::set<std::string>> workloads;
  for (const auto& row : rows) workloads[row.system].insert(row.workload);
  std::erase_if(rows, [&](const Row& row) { return workloads[row.system].size() < 2; });
  return rows;
}

LoaderSpec demand(const std::string& folder, const std::string& workload, const std::string& accelerator) {
  const std::string path = fmt::format("{}/mlperf_{}_{}.yaml", folder, workload, accelerator);
  const auto loaded = load_workload(path);
  if (!loaded.loader) throw InputError(path + ": has no loader");
  return *loaded.loader;
}

double threshold(const std::string& workload) { return workload == "cosmoflow" ? 0.7 : 0.9; }

Steady steady_state(LoaderSpec spec, int accelerators, int hosts, double storage_Bps, bool with_software) {
  // Records are read in blocks of about ten; a step then is a tenth of the requests, and as many bytes.
  const std::int64_t block = spec.batch.size >= 100 ? 10 : 1;
  spec.batch.size /= block;
  spec.dataset.size.mean *= block;
  spec.dataset.samples = std::int64_t{1} << 40;  // never ends; nothing is read twice
  spec.storage = {};
  spec.storage.kind = "memory";
  spec.storage.latency = fixed(microseconds(200));
  spec.storage.bandwidth = Bandwidth::bytes_per_second(static_cast<std::int64_t>(storage_Bps));
  // Fixed and exponential together, as a broken line through the quantiles of what they add up to: -ln(1 - p) at
  // p = 0, 0.05, ... 0.95, and an end that makes the mean right.
  if (with_software) {
    constexpr std::array exponential{0.0,    0.0513, 0.1054, 0.1625, 0.2231, 0.2877, 0.3567,
                                     0.4308, 0.5108, 0.5978, 0.6931, 0.7985, 0.9163, 1.0498,
                                     1.2040, 1.3863, 1.6094, 1.8971, 2.3026, 2.9957, 4.9};
    spec.consumer.overhead.shape = Distribution::Shape::quantiles;
    for (const double value : exponential)
      spec.consumer.overhead.quantiles.push_back(
          software_fixed / Duration{1} +
          static_cast<std::int64_t>(static_cast<double>(software_jitter / Duration{1}) * value));
  }
  // Twice as many steps again, so that what queues held at first is out of the difference.
  const std::int64_t steps = std::max<std::int64_t>(4 * spec.readers.workers * spec.readers.prefetch, 60);
  sim::LoaderPrediction prediction;
  prediction.machine.ranks = accelerators;
  prediction.machine.ranks_per_host = (accelerators + hosts - 1) / hosts;
  spec.consumer.steps = steps;
  const auto first = sim::simulate_loader(spec, prediction);
  spec.consumer.steps = 2 * steps;
  const auto both = sim::simulate_loader(spec, prediction);
  const double time = both.time_s - first.time_s;
  return {static_cast<double>((both.samples - first.samples) * block) / time, (both.think_s - first.think_s) / time};
}

void predict(std::vector<Row>& rows, const std::string& workloads, bool with_software) {
  for (auto& row : rows) {
    double per_host = 0;
    for (const auto& other : rows)
      if (other.system == row.system && other.workload != row.workload)
        per_host = std::max(per_host, other.read_Bps / other.hosts);
    row.storage_Bps = per_host * row.hosts;
    const auto steady = steady_state(demand(workloads, row.workload, row.accelerator), row.accelerators, row.hosts,
                                     row.storage_Bps, with_software);
    row.predicted_samples_per_s = steady.samples_per_s;
    row.predicted_utilisation = steady.utilisation;
  }
}

}  // namespace lockstep::storage

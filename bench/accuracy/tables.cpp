#include "bench/accuracy/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/table_files.hpp"
#include "core/base/error.hpp"
#include "core/config/document.hpp"
#include "sim/nccl/time.hpp"

namespace lockstep::accuracy {
namespace {

using Facts = nlohmann::json;

bool mentions(const Facts& facts, const char* key, std::string_view word) {
  return facts.contains(key) && facts[key].is_string() && facts[key].get<std::string>().find(word) != std::string::npos;
}

bool mentions_any(const Facts& facts, const char* key, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return mentions(facts, key, word); });
}

/// What the table leaves out is 0.
double number(const Facts& facts, const char* key) {
  return facts.contains(key) && facts[key].is_number() ? facts[key].get<double>() : 0.0;
}

std::string link_kind(const Facts& facts) {
  if (mentions(facts, "fabric", "EFA")) return "efa";
  if (mentions(facts, "fabric", "Slingshot")) return "slingshot";
  if (mentions_any(facts, "fabric", {"RoCE", "ROCE", "RDMA over"})) return "roce";
  if (mentions_any(facts, "fabric", {"InfiniBand", "Infiniband", "HDR", "NDR", "EDR", "XDR"})) return "infiniband";
  return "ethernet";
}

/// What the data sheets say of one GPU's NVLink (or xGMI), in GB/s; for tables that do not.
double nvlink_of_model(const Facts& facts) {
  if (mentions_any(facts, "gpu", {"B200", "B300"})) return 900;
  if (mentions(facts, "gpu", "MI300")) return 448;
  if (mentions_any(facts, "gpu", {"H100", "H200", "H800", "H20"})) return 450;
  if (mentions_any(facts, "gpu", {"A100", "A800"})) return 300;
  return 150;
}

/// The machine as the model sees it. A node of eight GPUs that a template describes is that template; others are
/// written out with the rates of the table.
struct Machine {
  int nodes = 1;
  int gpus = 8;
  int nics = 0;
  double nvlink_GBps = 0;
  double nic_Gbps = 0;
  std::string name;  ///< of a template; empty: written out
};

Machine machine_of(const Facts& facts) {
  Machine machine;
  machine.nodes = facts.at("nodes");
  machine.gpus = facts.at("gpus_per_node");
  machine.nics = static_cast<int>(number(facts, "nics_per_node"));
  machine.nic_Gbps = number(facts, "nic_Gbps");
  machine.nvlink_GBps = number(facts, "intra_GBps_per_direction_per_gpu");
  if (machine.nvlink_GBps == 0) machine.nvlink_GBps = nvlink_of_model(facts);
  if (mentions(facts, "fabric", "NVLink")) {  // one domain over several machines
    machine.gpus *= machine.nodes;
    machine.nodes = 1;
  }
  if (machine.nics > 0 && machine.gpus % machine.nics != 0 && machine.nics % machine.gpus != 0) {
    machine.nic_Gbps = machine.nic_Gbps * machine.nics / machine.gpus;
    machine.nics = machine.gpus;
  }
  const bool whole = machine.gpus == 8 && (machine.nodes == 1 || machine.nics == 8);
  const std::pair<const char*, const char*> templates[] = {
      {"A100", "dgx_a100"}, {"H100", "hgx_h100"}, {"H200", "hgx_h200"}, {"B200", "hgx_b200"}};
  for (const auto& [gpu, name] : templates)
    if (whole && mentions(facts, "gpu", gpu)) machine.name = name;
  return machine;
}

std::string topology_text(const Facts& facts, const Machine& machine) {
  std::string text = "name: table\n";
  text += machine.name.empty() ? fmt::format("node: {{gpus: {}, nvlink: {}GB/s, nics: {}, pcie: 1000GB/s}}\n",
                                             machine.gpus, machine.nvlink_GBps, machine.nodes > 1 ? machine.nics : 0)
                               : fmt::format("node: {}\n", machine.name);
  if (machine.nodes == 1) return text + "nodes: [{name: node0}]\n";
  return text + fmt::format("generate:\n  star: {{hosts: {}, link: {{bandwidth: {}Gbps, latency: 500ns, kind: {}}}}}\n",
                            machine.nodes, machine.nic_Gbps, link_kind(facts));
}

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

/// NCCL's environment, as far as it was set for the table.
NcclProfile settings_of(const Facts& facts) {
  NcclProfile settings;
  if (mentions(facts, "process_model", "1 process")) settings.processes = NcclProfile::Processes::one_per_node;
  const auto set = [&](const char* key) {
    const auto env = facts.find("env");
    if (env == facts.end() || !env->is_object() || !env->contains(key)) return std::string{};
    return env->at(key).is_string() ? env->at(key).get<std::string>() : env->at(key).dump();
  };
  const std::pair<const char*, const char*> algorithms[] = {
      {"Ring", "ring"}, {"RING", "ring"}, {"ring", "ring"},          {"Tree", "tree"},
      {"TREE", "tree"}, {"tree", "tree"}, {"NVLSTree", "nvls_tree"}, {"NVLS", "nvls"}};
  for (const auto& word : words_of(set("NCCL_ALGO")))
    for (const auto& [theirs, ours] : algorithms)
      if (word == theirs) settings.algorithms.emplace_back(ours);
  for (const auto& word : words_of(set("NCCL_PROTO")))
    for (const auto& known : nccl_protocol_names())
      if (word == known || (word == "SIMPLE" && known == "Simple")) settings.protocols.push_back(known);
  if (set("NCCL_NVLS_ENABLE") == "0") settings.nvls = false;
  return settings;
}

nccl::System system_of_facts(const Facts& facts) {
  const Machine machine = machine_of(facts);
  const Topology topology = read_topology(config::parse_text(topology_text(facts, machine), "facts"), "facts");
  auto system = nccl::system_of(topology, topology.rank_capacity(), settings_of(facts));
  // What is written out names no GPU, and puts every GPU behind an NVSwitch.
  if (machine.name.empty()) {
    if (const auto generation = nccl::generation_of_model(facts.value("gpu", std::string{}))) {
      system.generation = *generation;
      system.nvlink_GBps = machine.nvlink_GBps * nccl::table_of(*generation).nvlink_share;
      system.nvls = system.nvls && *generation >= nccl::Generation::hopper;
    }
    const bool a_switch = mentions_any(facts, "intra_node_link", {"NVSwitch", "NVL72", "NVL36"});
    if (!a_switch) system.nvswitch = system.nvls = false;
  }
  return system;
}

std::vector<Row> read_rows(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::vector<Row> rows;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    Row row;
    char comma = 0;
    std::istringstream fields(line);
    if (!(fields >> row.bytes >> comma >> row.measured_us) || comma != ',' || row.measured_us <= 0)
      throw InputError(fmt::format("{}: not 'size_bytes,time_us,...': {}", path, line));
    rows.push_back(row);
  }
  if (rows.empty()) throw InputError(path + ": no rows");
  return rows;
}

}  // namespace

std::vector<Table> load_tables(const std::string& folder, std::vector<std::string>& left_out) {
  std::vector<Table> tables;
  for (auto& path : table_files(folder)) {
    try {
      std::ifstream file(path);
      const Facts facts = Facts::parse(file);
      std::string kind = facts.at("collective");
      if (kind == "alltoall") kind = "all_to_all";
      if (kind == "sendrecv") kind = "send_recv";
      Table table;
      table.name = path.stem().string();
      table.kind = parse_collective_kind(kind);
      try {
        table.system = system_of_facts(facts);
      } catch (const InputError& error) {
        left_out.push_back(fmt::format("{}: {}", table.name, error.what()));
        continue;
      }
      table.rows = read_rows(path.replace_extension(".csv").string());
      tables.push_back(std::move(table));
    } catch (const nlohmann::json::exception& error) {
      throw InputError(fmt::format("{}: {}", path.string(), error.what()));
    }
  }
  if (tables.empty()) throw InputError(folder + ": no tables (NAME.json with NAME.csv)");
  return tables;
}

double predicted_us(const Table& table, std::int64_t bytes, const sim::nccl::Constants& constants) {
  const auto chosen = nccl::choose(table.system, table.kind, bytes);
  return sim::nccl::time_us(table.system, sim::nccl::parts_of(table.system, chosen, table.kind, bytes, constants));
}

}  // namespace lockstep::accuracy

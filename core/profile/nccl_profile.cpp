#include "core/profile/nccl_profile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/profile/names.hpp"
#include "core/units/parse.hpp"

namespace lockstep {
namespace {

using Processes = NcclProfile::Processes;
using Cpu = NcclProfile::Cpu;

const std::vector<std::pair<std::string, Processes>>& process_names() {
  static const std::vector<std::pair<std::string, Processes>> names{{"one_per_gpu", Processes::one_per_gpu},
                                                                    {"one_per_node", Processes::one_per_node}};
  return names;
}

const std::vector<std::pair<std::string, Cpu>>& cpu_names() {
  static const std::vector<std::pair<std::string, Cpu>> names{
      {"intel", Cpu::intel}, {"amd", Cpu::amd}, {"arm", Cpu::arm}};
  return names;
}

}  // namespace

const std::vector<std::string>& nccl_algorithm_names() {
  static const std::vector<std::string> names{"ring", "tree", "nvls", "nvls_tree", "pat"};
  return names;
}

const std::vector<std::string>& nccl_protocol_names() {
  static const std::vector<std::string> names{"LL", "LL128", "Simple"};
  return names;
}

config::Type<NcclProfile> nccl_profile_type() {
  return config::record<NcclProfile>("nccl",
                                     "NCCL's settings, and what its model cannot know from the topology: collectives "
                                     "with `algorithm: auto` are chosen and predicted as NCCL does them.")
      .optional("version", &NcclProfile::version, config::text(), "of NCCL, in quotes; for the record")
      .optional("processes", &NcclProfile::processes, config::choice<Processes>("process model", process_names()),
                "one_per_gpu (default) or one_per_node: one process that drives all GPUs of a node launches slower")
      .optional("cpu", &NcclProfile::cpu, config::choice<Cpu>("CPU vendor", cpu_names()),
                "intel, amd or arm: NCCL's idea of LL's bandwidth between nodes depends on it; absent: amd beside A100 "
                "and on "
                "EFA, else intel")
      .optional("transport_latency", &NcclProfile::transport_latency, config::duration(),
                "of one crossing of the network, on top of NCCL's figure for InfiniBand; absent: the fabric's")
      .optional("nic_bandwidth", &NcclProfile::nic_bandwidth, config::bandwidth().positive(),
                "measured payload rate of one NIC; absent: 0.97 of its line rate")
      .optional("framework_overhead", &NcclProfile::framework_overhead, config::duration(),
                "time that a framework adds to every call (default 0s; PyTorch about 20us)")
      .optional("channels", &NcclProfile::channels, config::integer(1, 64),
                "channels (CTAs) that NCCL is told to use; absent: its own number")
      .optional("nvls", &NcclProfile::nvls, config::boolean(),
                "NVLink SHARP (NCCL_NVLS_ENABLE); absent: where the hardware has it")
      .optional("algorithms", &NcclProfile::algorithms,
                config::one_or_list(config::name_of("NCCL algorithm", nccl_algorithm_names())),
                "only these (NCCL_ALGO); absent: all")
      .optional("protocols", &NcclProfile::protocols,
                config::one_or_list(config::name_of("NCCL protocol", nccl_protocol_names())),
                "only these (NCCL_PROTO); absent: all")
      .optional("offset", &NcclProfile::offset, config::duration(),
                "fitted for one system: time = offset + scale x model (default 0s)")
      .optional("scale", &NcclProfile::scale, config::number(0.01, 100.0), "see offset (default 1)")
      .type();
}

std::string to_yaml(const NcclProfile& profile) {
  std::string text;
  const auto line = [&text](std::string_view key, std::string_view value) {
    text += fmt::format("  {}: {}\n", key, value);
  };
  if (!profile.version.empty()) line("version", nlohmann::json(profile.version).dump());
  line("processes", name_of(profile.processes, process_names()));
  if (profile.cpu) line("cpu", name_of(*profile.cpu, cpu_names()));
  if (profile.transport_latency) line("transport_latency", to_text(*profile.transport_latency));
  if (profile.nic_bandwidth) line("nic_bandwidth", to_text(*profile.nic_bandwidth));
  if (profile.framework_overhead.count() > 0) line("framework_overhead", to_text(profile.framework_overhead));
  if (profile.channels) line("channels", std::to_string(*profile.channels));
  if (profile.nvls) line("nvls", *profile.nvls ? "true" : "false");
  if (!profile.algorithms.empty()) line("algorithms", fmt::format("[{}]", fmt::join(profile.algorithms, ", ")));
  if (!profile.protocols.empty()) line("protocols", fmt::format("[{}]", fmt::join(profile.protocols, ", ")));
  line("offset", to_text(profile.offset));
  line("scale", fmt::format("{}", profile.scale));
  return text;
}

}  // namespace lockstep

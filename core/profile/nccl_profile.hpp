// The section `nccl:` of a profile: what NCCL's model cannot know from the topology. A profile that has it lets
// collectives with `algorithm: auto` be chosen and predicted as NCCL does them (docs/models/nccl.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/type.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

struct NcclProfile {
  enum class Processes : std::uint8_t { one_per_gpu, one_per_node };
  enum class Cpu : std::uint8_t { intel, amd, arm };

  std::string version;  ///< of NCCL, for the record; empty: not stated
  Processes processes = Processes::one_per_gpu;
  std::optional<Cpu> cpu;  ///< sets NCCL's idea of LL's bandwidth across nodes; none: the usual one beside these GPUs
  std::optional<Duration> transport_latency;  ///< of one crossing of the network, on top of NCCL's InfiniBand figure
  std::optional<Bandwidth> nic_bandwidth;     ///< measured payload rate of one NIC; none: 0.97 of the line rate
  Duration framework_overhead{0};             ///< of a framework, per call
  std::optional<int> channels;                ///< NCCL_MAX_CTAS and NCCL_MIN_CTAS; none: NCCL's own number
  std::optional<bool> nvls;                   ///< NCCL_NVLS_ENABLE; none: where the hardware has it
  std::vector<std::string> algorithms;        ///< NCCL_ALGO: only these; empty: all
  std::vector<std::string> protocols;         ///< NCCL_PROTO: only these; empty: all
  Duration offset{0};                         ///< fitted correction of this system: time = offset + scale x model
  double scale = 1.0;
};

/// The names of NCCL_ALGO and NCCL_PROTO.
const std::vector<std::string>& nccl_algorithm_names();
const std::vector<std::string>& nccl_protocol_names();

/// The declaration of the section.
config::Type<NcclProfile> nccl_profile_type();
/// The section as YAML text, indented below `nccl:`; reads back to the same values.
std::string to_yaml(const NcclProfile& profile);

}  // namespace lockstep

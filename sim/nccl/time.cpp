#include "sim/nccl/time.hpp"

#include <algorithm>
#include <bit>

#include "core/base/error.hpp"
#include "core/units/duration.hpp"
#include "sim/nccl/mechanisms.hpp"

namespace lockstep::sim::nccl {
namespace {

/// Messages up to this size on the wire travel with their announcement. Libfabric providers and MPI libraries switch
/// to a rendezvous between 8 and 16 KiB; the tables here show the step at 8 KiB.
constexpr double eager_bytes = 8192;

/// Payload of a NIC: headers, acknowledgements, credits (FIELD-FACTS 1.5: 0.97; a 400G NIC achieves 48 to 49 GB/s).
constexpr double nic_payload = 0.97;

/// LL sends 8 bytes of data in 16, LL128 120 in 128.
double wire_factor(Protocol protocol) {
  return protocol == Protocol::ll ? 2.0 : protocol == Protocol::ll128 ? 128.0 / 120.0 : 1.0;
}

/// One process that drives the g GPUs of a node starts them one after another; the last one starts late by
///   g (per GPU + per channel x channels),   point-to-point: g (per GPU + per peer x n).
/// One process per GPU: they start together, and NCCL's base latency has the launch.
double launch_us(const Setting& setting) {
  const System& system = setting.system;
  if (system.settings.processes == NcclProfile::Processes::one_per_gpu || system.gpus_per_node == 1) return 0;
  const SharedConstants& shared = setting.constants.shared;
  const double work = setting.algorithm == Algorithm::point_to_point ? shared.launch_per_peer * system.ranks()
                                                                     : shared.launch_per_channel * setting.channels;
  return system.gpus_per_node * (shared.launch_per_gpu + work);
}

double in_us(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace

double nvlink_hop(const Setting& setting) {
  const double figure = lockstep::nccl::hop_latencies(setting.algorithm).nvlink[setting.column()];
  const GenerationConstants& generation = setting.generation();
  switch (setting.protocol) {
    case Protocol::ll:
      return figure * (setting.system.nvswitch ? generation.ll_hop : 1.0);
    case Protocol::ll128:
      return figure * (setting.system.nvswitch ? generation.ll128_hop : 1.0);
    case Protocol::simple:
      return figure * generation.simple_hop;
  }
  LOCKSTEP_CHECK(false, "NCCL protocol {}", static_cast<int>(setting.protocol));
}

// A site's own ping-pong latency replaces the fabric's; what Simple pays beyond it stays.
double transport_latency(const Setting& setting, double message) {
  const FabricConstants& fabric = setting.constants.of(setting.system.fabric);
  const auto& measured = setting.system.settings.transport_latency;
  const double latency = measured ? in_us(*measured) : fabric.latency;
  if (setting.protocol == Protocol::simple) return latency + (fabric.simple - fabric.latency);
  const double wire = message * wire_factor(setting.protocol);
  return latency + (wire >= eager_bytes ? fabric.rendezvous : 0.0);
}

double node_network_rate(const System& system) {
  const double payload = system.settings.nic_bandwidth ? system.settings.nic_bandwidth->bytes_per_second() / 1e9
                                                       : system.nic_GBps * nic_payload;
  return payload * system.nics;
}

int levels(int nodes) { return static_cast<int>(std::bit_width(static_cast<unsigned>(nodes))) - 1; }

Parts parts_of(const System& system, const Candidate& candidate, CollectiveKind kind, std::int64_t bytes,
               const Constants& constants) {
  const Setting setting{system,
                        constants,
                        lockstep::nccl::graph_of(system),
                        candidate.algorithm,
                        candidate.protocol,
                        kind,
                        static_cast<double>(bytes),
                        candidate.channels};
  Parts parts;
  switch (candidate.algorithm) {
    case Algorithm::ring:
      parts = ring_parts(setting);
      break;
    case Algorithm::tree:
      parts = tree_parts(setting);
      break;
    case Algorithm::nvls:
    case Algorithm::nvls_tree:
      parts = nvls_parts(setting);
      break;
    case Algorithm::pat:
      parts = pat_parts(setting);
      break;
    case Algorithm::point_to_point:
      parts = point_to_point_parts(setting);
      break;
  }
  parts.launch = launch_us(setting);
  return parts;
}

double time_us(const System& system, const Parts& parts) {
  const NcclProfile& settings = system.settings;
  return in_us(settings.offset) + settings.scale * parts.sum() + in_us(settings.framework_overhead);
}

}  // namespace lockstep::sim::nccl

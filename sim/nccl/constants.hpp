// The constants of the time model that were fitted on measurements: one set per GPU generation, one per fabric, one for
// all. No constant belongs to one table, site or system; a site's own two numbers are the profile's offset and scale.
// How they were found, and how well they do: docs/models/nccl.md; bench/accuracy refits them.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "core/nccl/fabric.hpp"
#include "core/nccl/generation.hpp"

namespace lockstep::sim::nccl {

using lockstep::nccl::Fabric;
using lockstep::nccl::Generation;

/// Times in microseconds, rates in GB/s (10^9 bytes per second), shares between 0 and 1.
struct GenerationConstants {
  double ll_hop;             ///< factor on NCCL's latency of an LL hop through an NVSwitch
  double ll128_hop;          ///< the same, LL128
  double simple_hop;         ///< the same, Simple
  double ll_rate;            ///< bus bandwidth of an LL ring in one node
  double simple_share;       ///< of NVLink (as NCCL counts it) that a Simple ring reaches
  double p2p_share;          ///< of NVLink that all-to-all reaches
  double p2p_latency;        ///< of a point-to-point kernel
  double p2p_chunk_latency;  ///< synchronisation per chunk of a point-to-point transfer
  double nvls_start;         ///< of NVLS
  double nvls_round;         ///< the least time of a loop of NVLS: a synchronisation of all GPUs over the switch
  double nvls_share;         ///< of NCCL's own figure for the peak of NVLS
};

struct FabricConstants {
  double latency;     ///< of a crossing with LL and LL128, on top of NCCL's figure for InfiniBand
  double rendezvous;  ///< more of it for messages that are not sent eagerly
  double ll_rate;     ///< at which a node's LL messages pass through the transport; 0: no limit of its own
  double simple;      ///< of a crossing with Simple (rendezvous, flush), on top of NCCL's figure for InfiniBand
};

struct SharedConstants {
  double launch_per_gpu;      ///< one process drives several GPUs: per GPU
  double launch_per_channel;  ///< and per GPU and channel
  double launch_per_peer;     ///< and per GPU and peer of a point-to-point operation
  double post_per_peer;       ///< the proxy's work per remote peer of an all-to-all
  double ll128_across;        ///< of NCCL's figure for LL128 trees between nodes
  double nvls_fill;           ///< loops until the pipeline of NVLS is full
  double nvls_tree_fill;      ///< of NVLSTree: times the way of one loop through all stages
};

struct Constants {
  std::array<GenerationConstants, lockstep::nccl::generation_count> generation;
  std::array<FabricConstants, lockstep::nccl::fabric_count> fabric;
  SharedConstants shared;

  [[nodiscard]] const GenerationConstants& of(Generation g) const { return generation[static_cast<std::size_t>(g)]; }
  [[nodiscard]] GenerationConstants& of(Generation g) { return generation[static_cast<std::size_t>(g)]; }
  [[nodiscard]] FabricConstants& of(Fabric f) { return fabric[static_cast<std::size_t>(f)]; }
  [[nodiscard]] const FabricConstants& of(Fabric f) const { return fabric[static_cast<std::size_t>(f)]; }
};

/// What the model uses.
const Constants& fitted_constants();

/// What was known before any of the tables: NCCL's own figures and FIELD-FACTS 1.5. A fit that leaves a table out
/// starts here, so that nothing of that table is in it.
const Constants& prior_constants();

/// A constant by its name ("hopper.ll_hop", "efa.latency"), for a fit to vary.
struct NamedConstant {
  std::string_view name;
  double* value;
};
/// Those that measurements at hand determine; the others stand for generations and fabrics without a table.
std::vector<NamedConstant> free_constants(Constants& constants);

}  // namespace lockstep::sim::nccl

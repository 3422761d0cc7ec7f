#include "sim/nccl/constants.hpp"

namespace lockstep::sim::nccl {
namespace {

// Fitted on tests/data/measurements/collectives (bench/accuracy --fit), rounded, kept near NCCL's own where the fit is
// indifferent. Volta and CDNA3 have no table: they take Ampere's figures, Volta with NCCL's own for LL.
constexpr GenerationConstants volta{.ll_hop = 1,
                                    .ll128_hop = 1,
                                    .simple_hop = 1,
                                    .ll_rate = 39,
                                    .simple_share = 0.95,
                                    .p2p_share = 0.935,
                                    .p2p_latency = 12,
                                    .p2p_chunk_latency = 1,
                                    .nvls_start = 0,
                                    .nvls_round = 0,
                                    .nvls_share = 0};
constexpr GenerationConstants ampere{.ll_hop = 0.8,
                                     .ll128_hop = 1,
                                     .simple_hop = 1.3,
                                     .ll_rate = 100,
                                     .simple_share = 0.95,
                                     .p2p_share = 0.94,
                                     .p2p_latency = 12,
                                     .p2p_chunk_latency = 1,
                                     .nvls_start = 0,
                                     .nvls_round = 0,
                                     .nvls_share = 0};
constexpr GenerationConstants hopper{.ll_hop = 1.22,
                                     .ll128_hop = 1.26,
                                     .simple_hop = 1,
                                     .ll_rate = 150,
                                     .simple_share = 0.98,
                                     .p2p_share = 0.94,
                                     .p2p_latency = 11,
                                     .p2p_chunk_latency = 2,
                                     .nvls_start = 15,
                                     .nvls_round = 11.3,
                                     .nvls_share = 1.03};
constexpr GenerationConstants blackwell{.ll_hop = 2.4,
                                        .ll128_hop = 1,
                                        .simple_hop = 1.15,
                                        .ll_rate = 265,
                                        .simple_share = 0.92,
                                        .p2p_share = 0.94,
                                        .p2p_latency = 11,
                                        .p2p_chunk_latency = 4,
                                        .nvls_start = 21,
                                        .nvls_round = 17,
                                        .nvls_share = 1.07};

// InfiniBand: NCCL's figures were taken on it. RoCE: about 10 us more (FIELD-FACTS 1.5). EFA and Slingshot: fitted.
// Sockets: a message through the kernel and the CPU, about 30 us and 5 GB/s; no table.
constexpr FabricConstants none{0, 0, 0, 0};
constexpr FabricConstants infiniband{0, 0, 0, 0};
constexpr FabricConstants roce{10, 0, 0, 10};
constexpr FabricConstants efa{21, 5, 5, 45};
constexpr FabricConstants slingshot{-1, 8, 12, 50};
constexpr FabricConstants ethernet{30, 10, 2, 60};

constexpr SharedConstants shared{.launch_per_gpu = 3.1,
                                 .launch_per_channel = 0.16,
                                 .launch_per_peer = 0.78,
                                 .post_per_peer = 3.0,
                                 .ll128_across = 0.72,
                                 .nvls_fill = 2.0,
                                 .nvls_tree_fill = 1.7};

// NCCL's figures where it has one (hops, llMaxBws, NVLS latency); 1.26 and 2.4 for LL hops, 5 and 10 us per loop of
// NVLS, 3 us per GPU and per post, 20 us for a cloud transport from FIELD-FACTS 1.5; 0.87 of NVLink for copies
// from 2.8.
GenerationConstants prior_of(double ll_hop, double ll_rate, double nvls_round) {
  return {.ll_hop = ll_hop,
          .ll128_hop = ll_hop,
          .simple_hop = 1,
          .ll_rate = ll_rate,
          .simple_share = 1,
          .p2p_share = 0.87,
          .p2p_latency = 12,
          .p2p_chunk_latency = 3.4,
          .nvls_start = 25,
          .nvls_round = nvls_round,
          .nvls_share = 1};
}
constexpr FabricConstants cloud_prior{20, 1, 10, 20};
constexpr SharedConstants shared_prior{.launch_per_gpu = 3.0,
                                       .launch_per_channel = 0.05,
                                       .launch_per_peer = 0.5,
                                       .post_per_peer = 3.0,
                                       .ll128_across = 1,
                                       .nvls_fill = 1,
                                       .nvls_tree_fill = 1};

}  // namespace

const Constants& prior_constants() {
  static const Constants constants{
      {prior_of(1, 39, 1), prior_of(1, 87.7, 1), prior_of(1, 87.7, 1), prior_of(1.26, 141, 5), prior_of(2.4, 282, 10)},
      {none, infiniband, roce, cloud_prior, cloud_prior, ethernet},
      shared_prior};
  return constants;
}

const Constants& fitted_constants() {
  static const Constants constants{
      {volta, ampere, ampere, hopper, blackwell}, {none, infiniband, roce, efa, slingshot, ethernet}, shared};
  return constants;
}

std::vector<NamedConstant> free_constants(Constants& constants) {
  std::vector<NamedConstant> found;
  const auto add = [&found](const char* name, double& value) { found.push_back({name, &value}); };
  auto& ampere_set = constants.of(Generation::ampere);
  auto& hopper_set = constants.of(Generation::hopper);
  auto& blackwell_set = constants.of(Generation::blackwell);
  add("ampere.ll_hop", ampere_set.ll_hop);
  add("ampere.simple_hop", ampere_set.simple_hop);
  add("ampere.ll_rate", ampere_set.ll_rate);
  add("ampere.simple_share", ampere_set.simple_share);
  add("ampere.p2p_share", ampere_set.p2p_share);
  add("ampere.p2p_chunk_latency", ampere_set.p2p_chunk_latency);
  add("hopper.ll_hop", hopper_set.ll_hop);
  add("hopper.ll128_hop", hopper_set.ll128_hop);
  add("hopper.ll_rate", hopper_set.ll_rate);
  add("hopper.nvls_start", hopper_set.nvls_start);
  add("hopper.nvls_round", hopper_set.nvls_round);
  add("hopper.nvls_share", hopper_set.nvls_share);
  add("blackwell.ll_hop", blackwell_set.ll_hop);
  add("blackwell.simple_hop", blackwell_set.simple_hop);
  add("blackwell.ll_rate", blackwell_set.ll_rate);
  add("blackwell.simple_share", blackwell_set.simple_share);
  add("blackwell.p2p_share", blackwell_set.p2p_share);
  add("blackwell.p2p_latency", blackwell_set.p2p_latency);
  add("blackwell.p2p_chunk_latency", blackwell_set.p2p_chunk_latency);
  add("blackwell.nvls_start", blackwell_set.nvls_start);
  add("blackwell.nvls_round", blackwell_set.nvls_round);
  add("blackwell.nvls_share", blackwell_set.nvls_share);
  add("efa.latency", constants.of(Fabric::efa).latency);
  add("efa.rendezvous", constants.of(Fabric::efa).rendezvous);
  add("efa.ll_rate", constants.of(Fabric::efa).ll_rate);
  add("efa.simple", constants.of(Fabric::efa).simple);
  add("slingshot.latency", constants.of(Fabric::slingshot).latency);
  add("slingshot.rendezvous", constants.of(Fabric::slingshot).rendezvous);
  add("slingshot.ll_rate", constants.of(Fabric::slingshot).ll_rate);
  add("slingshot.simple", constants.of(Fabric::slingshot).simple);
  add("launch_per_gpu", constants.shared.launch_per_gpu);
  add("launch_per_channel", constants.shared.launch_per_channel);
  add("launch_per_peer", constants.shared.launch_per_peer);
  add("ll128_across", constants.shared.ll128_across);
  add("nvls_fill", constants.shared.nvls_fill);
  add("nvls_tree_fill", constants.shared.nvls_tree_fill);
  return found;
}

}  // namespace lockstep::sim::nccl

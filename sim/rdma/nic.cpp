#include "sim/rdma/nic.hpp"

#include <vector>

namespace lockstep::sim::rdma {

std::span<const NicGeneration> nic_catalogue() {
  // processing [F]: what is left of osu_latency's 1.61 us over two links of 500 ns, once UCX's and MPI's parts are
  // taken off. Links of a topology contain the port (serialiser, error correction), which is UCX's 0.6 us [U].
  // queue_pair_interval: ConnectX-6 [F] on ib_write_bw's 2.85 million messages a second; others 10 million a second for
  // one queue pair [E].
  // message_interval [E]: 200, 215, 330 and 330 million messages a second, as product briefs have it.
  // outstanding_pcie_reads [E]: enough for the port over a round trip of 700 ns.
  // cached_contexts, context_fetches [E]: "some thousands" of queue pairs.
  static const std::vector<NicGeneration> catalogue{
      {"connectx5", "ConnectX-5: 100 Gbit/s (EDR, 100GbE), PCIe Gen3 x16", 100_Gbps, 3, nanoseconds(40),
       nanoseconds(100), picoseconds(5'000), 64, 16, 2048, 8, 220_B},
      {"connectx6", "ConnectX-6: 200 Gbit/s (HDR, 200GbE), PCIe Gen4 x16", 200_Gbps, 4, nanoseconds(40),
       nanoseconds(351), picoseconds(4'650), 128, 16, 4096, 8, 220_B},
      {"connectx7", "ConnectX-7: 400 Gbit/s (NDR, 400GbE), PCIe Gen5 x16", 400_Gbps, 5, nanoseconds(40),
       nanoseconds(100), picoseconds(3'030), 256, 16, 8192, 16, 220_B},
      {"connectx8", "ConnectX-8: 800 Gbit/s (XDR, 800GbE), PCIe Gen6 x16", 800_Gbps, 6, nanoseconds(40),
       nanoseconds(100), picoseconds(3'030), 512, 16, 16384, 16, 220_B},
  };
  return catalogue;
}

const NicGeneration& nic_for(Bandwidth link) {
  for (const auto& generation : nic_catalogue())
    if (link <= generation.line) return generation;
  return nic_catalogue().back();
}

}  // namespace lockstep::sim::rdma

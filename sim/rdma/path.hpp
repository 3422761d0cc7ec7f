// From the memory of one rank to that of another: PCIe, NIC, links and switches, NIC, PCIe; read off a topology's
// route.
//
// The network part is what the routing function says. Inside a node:
//   host memory   the NIC and the CPU nearest to it by PCIe; a node without CPU in its graph (a plain host) has the
//                 PCIe link of its NIC's generation
//   GPU, direct   GPUDirect: the links between the GPU and its NIC
//   GPU, staged   host memory, and a copy between it and the GPU at either end
// The links of the network contain the NIC's port. PCIe links of a topology are rates of payload with TLPs of 256
// bytes.
#pragma once

#include <optional>
#include <string>

#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "sim/rdma/nic.hpp"
#include "sim/rdma/pcie.hpp"
#include "sim/rdma/wire.hpp"

namespace lockstep::sim::rdma {

enum class Memory : std::uint8_t { host, gpu_direct, gpu_staged };

struct PathOptions {
  Memory memory = Memory::host;
  const NicGeneration* nic = nullptr;  ///< none: by the rate of the slowest link
  std::optional<Bytes> mtu;            ///< of RDMA packets; none: the largest that the links take
  Bytes max_payload = default_max_payload;
  Bytes max_read_request = default_max_read_request;
};

/// One end.
struct End {
  std::string device;  ///< where the rank sits
  std::string nic;     ///< the device that the network's links are cabled to
  Dma payload;         ///< between the NIC and the memory of the payload
  Dma host;            ///< between the NIC and host memory: work requests, completions
  Bandwidth staging;   ///< of copies between GPU and host; 0: none are made
};

struct Path {
  const NicGeneration* nic = nullptr;
  Fabric fabric = Fabric::infiniband;
  bool ethernet = false;  ///< every link is plain Ethernet, so TCP may go over it
  Bandwidth line;         ///< of the slowest link
  Duration latency{0};    ///< of links and switches, one way
  std::int64_t switches = 0;
  Bytes link_mtu;
  Bytes mtu;  ///< of RDMA packets
  End from, to;
};

/// Throws InputError: ranks of one node, links of a kind that carries no RDMA of this model, an MTU that is none, a GPU
/// that is missing or cannot.
Path path_between(const Topology& topology, const Routing& routing, DeviceId from, DeviceId to,
                  const PathOptions& options = {});

/// The same the other way.
Path reversed(Path path);

}  // namespace lockstep::sim::rdma

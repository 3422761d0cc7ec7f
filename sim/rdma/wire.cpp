#include "sim/rdma/wire.hpp"

#include <algorithm>

namespace lockstep::sim::rdma {

std::string_view to_string(Fabric fabric) { return fabric == Fabric::infiniband ? "InfiniBand" : "RoCEv2"; }

Bytes packet_header(Fabric fabric) {
  return fabric == Fabric::infiniband ? Bytes{8 + 12 + 4 + 2} : Bytes{8 + 14 + 20 + 8 + 12 + 4 + 4 + 12};
}

Bandwidth usable_rate(Fabric fabric, Bandwidth line) {
  return fabric == Fabric::infiniband ? scale(line, 0.9888) : line;
}

std::int64_t packets_of(Bytes message, Bytes mtu) {
  return std::max<std::int64_t>(1, (message.count() + mtu.count() - 1) / mtu.count());
}

double wire_efficiency(Fabric fabric, Bytes mtu) {
  const auto payload = static_cast<double>(mtu.count());
  return payload / (payload + static_cast<double>((packet_header(fabric) + reth).count()));
}

}  // namespace lockstep::sim::rdma

#include "real/transport/catalogue.hpp"

#include <array>

#include "core/base/catalogue.hpp"
#include "real/transport/module.hpp"

namespace lockstep::real {

std::span<const TransportKind> transport_catalogue() {
  static const std::array catalogue{
      TransportKind{"tcp", "one socket per pair of ranks", "", true, 100, 70, true},
      TransportKind{"mpi", "MPI's non-blocking point-to-point messages; ranks started by mpirun", "mpi", false, 400,
                    400, false},
      TransportKind{"ucx", "UCX's tagged messages", "ucx", true, 400, 400, false},
      TransportKind{"ucx_put", "UCX's one-sided writes into registered memory", "ucx", true, 800, 800, false},
      // In no lab, so without wire sizes.
      TransportKind{"nccl", "NCCL's sends and receives between GPU memories", "nccl", true, 0, 0, false},
  };
  return catalogue;
}

const TransportKind& find_transport(const std::string& name) {
  return get_from(transport_catalogue(), "transport", name);
}

std::unique_ptr<Transport> make_transport(const TransportKind& kind, Control& control, const std::vector<int>& peers,
                                          const TcpOptions& tcp) {
  if (kind.module.empty()) return std::make_unique<TcpTransport>(control, peers, tcp);
  return open_module(kind.module).make(control, peers, kind.name);
}

}  // namespace lockstep::real

// The transports: one catalogue, for the executor's makers, help and messages.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "real/launch/control.hpp"
#include "real/transport/tcp.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {

struct TransportKind {
  std::string name;
  std::string description;
  std::string module;                   ///< that has to be opened; empty: always there
  bool own_ranks = true;                ///< false: a launcher of the library's has to start the ranks (mpirun)
  std::int64_t message_bytes = 0;       ///< most that a message puts on the wire beside its data, with them
  std::int64_t acknowledged_bytes = 0;  ///< and against them
  bool reports_progress = true;         ///< false: of a message only its end is told, so it is combined as a whole
};

std::span<const TransportKind> transport_catalogue();
/// Throws InputError with the nearest name.
const TransportKind& find_transport(const std::string& name);

/// All ranks of the job make theirs together; `peers` as TcpTransport takes them. Throws InputError where the library
/// is missing, RunFailure where peers cannot be reached.
std::unique_ptr<Transport> make_transport(const TransportKind& kind, Control& control, const std::vector<int>& peers,
                                          const TcpOptions& tcp);

}  // namespace lockstep::real

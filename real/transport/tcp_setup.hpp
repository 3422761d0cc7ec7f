// Makes the connections of a TcpTransport: every rank listens, addresses go round by Control::all_gather, the lower
// rank of each pair connects, and both ends verify job and ranks.
#pragma once

#include <memory>
#include <vector>

#include "real/launch/control.hpp"
#include "real/transport/tcp.hpp"

namespace lockstep::real {

/// One connection per peer, in the order of `peers` (sorted, without the own rank). All ranks of the job call it
/// together.
std::vector<std::shared_ptr<TcpConnection>> connect_peers(Control& control, const std::vector<int>& peers,
                                                          const TcpOptions& options);

}  // namespace lockstep::real

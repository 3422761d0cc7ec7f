// Whether the bytes that the links carried are those that the plan says: ranks that found another way (shared memory,
// loopback) make a measurement of the network invalid.
#pragma once

#include <string>
#include <vector>

#include "core/topology/topology.hpp"

namespace lockstep::real {

struct WireCheckOptions {
  double overhead = 0.10;  ///< headers (4.6% at an MTU of 1500), retransmissions
  double acknowledgements =
      0.06;                 ///< of the payload of the opposite direction: a frame of 66 bytes per segment at most
  Bytes slack{256 * 1024};  ///< connections, barriers, control messages, per link
};

/// By LinkId: `payload` is what plan and routes put on each directed link, `wire` what it carried. Empty if plausible,
/// else one finding per link: "link h0 -> s0 carried 1KiB but the plan says 4MiB: the ranks found another way (shared
/// memory?)".
std::vector<std::string> check_wire(const Topology& topology, const std::vector<Bytes>& payload,
                                    const std::vector<Bytes>& wire, const WireCheckOptions& options = {});

}  // namespace lockstep::real

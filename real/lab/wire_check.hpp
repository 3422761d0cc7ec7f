// Whether the bytes that the links carried are those that the plan says: ranks that found another way (shared memory,
// loopback) make a measurement of the network invalid.
#pragma once

#include <string>
#include <vector>

#include "core/topology/topology.hpp"

namespace lockstep::real {

/// What is meant to cross one directed link.
struct LinkTraffic {
  Bytes payload{0};
  std::int64_t messages = 0;
  Bytes more{0};  ///< that it may carry besides: what a library's own collectives send is not in the plan
};

struct WireCheckOptions {
  double overhead = 0.10;  ///< headers (4.6% at an MTU of 1500), retransmissions
  double acknowledgements =
      0.06;            ///< of the payload of the opposite direction: a frame of 66 bytes per segment at most
  Bytes message{100};  ///< per message: our own header of 16 bytes, the headers of a frame that is not full
  Bytes message_acknowledged{70};  ///< per message of the opposite direction
  Bytes slack{64 * 1024};          ///< connections, per link
};

/// By LinkId: `planned` is what plan, control and routes put on each directed link, `wire` what it carried. Empty if
/// plausible, else one finding per link: "link h0 -> s0 carried 1KiB but the plan says 4MiB: the ranks found another
/// way (shared memory?)".
std::vector<std::string> check_wire(const Topology& topology, const std::vector<LinkTraffic>& planned,
                                    const std::vector<Bytes>& wire, const WireCheckOptions& options = {});

}  // namespace lockstep::real

// One direction of a path as servers in a row, packet by packet: PCIe reads of the payload, the wire, the NIC, PCIe
// writes.
//
// Equations, for packet p of a message whose work request is in the NIC at t (S = a server's first come, first served):
//   buffer   the later of t + processing and when packet p - b of the message left: a NIC reads b packets ahead, what
//   the
//            wire passes in two round trips of PCIe. So what a long message waits for the wire it waits for before the
//            read, and it counts as the wire's
//   read     S(buffer, bytes / read rate) + round trip     (no read if the payload came inside the request)
//   wire     S(read, (bytes + header) / usable rate)
//   arrival  wire + latency + processing
//   written  S(arrival, bytes / payload rate) + latency of PCIe
// Exact for first come, first served: messages are passed in the order in which they reach the NIC.
// Assumptions: switches cut through; nobody else is on the way.
#pragma once

#include <cstddef>
#include <vector>

#include "sim/rdma/path.hpp"
#include "sim/rdma/stage.hpp"

namespace lockstep::sim::rdma {

struct Transfer {
  Bytes bytes;
  bool inlined = false;  ///< the payload is in the NIC already
  Bytes extension;       ///< headers of the first packet beside the usual ones
};

class Channel {
 public:
  explicit Channel(const Path& path);

  /// Moves `clock` from "work request in the NIC" to "payload in memory", along the last packet. Returns when that
  /// packet was in the receiver's NIC, which acknowledges it then.
  Duration send(Clock& clock, const Transfer& transfer);

  /// A packet that holds up nobody (acknowledgement, request): from NIC to NIC.
  [[nodiscard]] Duration control(Bytes bytes) const;

  /// The server that was busy the longest, and how long.
  struct Busy {
    Stage stage;
    Duration time;
  };
  [[nodiscard]] Busy busiest() const;

 private:
  /// Onto the wire at the earliest at `ready`; gives the packet's place in the buffer free.
  Duration leave(Duration ready, Duration service);
  [[nodiscard]] Duration on_wire(Bytes payload, Bytes extension) const;

  Duration processing_, latency_, round_trip_, write_latency_;
  Bandwidth wire_rate_, read_rate_, write_rate_;
  Bytes header_, mtu_;
  Server read_, wire_, write_;
  std::vector<Duration> left_;  ///< when the packets of the message that fit the buffer have left, in a ring
  std::size_t oldest_ = 0;
};

}  // namespace lockstep::sim::rdma

// What each direction of each link has sent, read from the token bucket at its sending end by netlink.
//
// The bucket's counter and not the interface's: a segmented packet (GSO) counts there with the headers of every
// segment, as on a real wire; the interface counts them once. Both leave out preamble and gap. One socket per namespace
// is kept open, so a reading costs some microseconds per namespace and needs no change of namespace.
#pragma once

#include <cstdint>
#include <vector>

#include "core/units/quantity.hpp"
#include "real/lab/descriptor.hpp"
#include "real/lab/network_namespace.hpp"

namespace lockstep::real {

struct LinkCounter {
  Bytes sent;                ///< whole frames, every segment with its headers
  std::int64_t packets = 0;  ///< segments
  std::int64_t dropped = 0;
  Bytes waiting;  ///< in the queue now
};

/// Counters of the root disciplines of one namespace.
class LinkCounters {
 public:
  explicit LinkCounters(const NetworkNamespace& where);
  struct Row {
    int interface = 0;  ///< index in that namespace
    LinkCounter counter;
  };
  /// Throws RunFailure.
  [[nodiscard]] std::vector<Row> read() const;

 private:
  Descriptor socket_;
};

}  // namespace lockstep::real

// Changes the rate of a link of the lab while it runs, by netlink: microseconds, where a start of tc(8) takes
// milliseconds on a busy machine.
//
// A change fills the bucket anew (sch_tbf), so a burst passes at once after it. What waits in the queue stays there.
#pragma once

#include <string>

#include "core/units/quantity.hpp"
#include "real/lab/descriptor.hpp"
#include "real/lab/network_namespace.hpp"

namespace lockstep::real {

/// Where one direction of a link is sent from.
struct SendingEnd {
  const NetworkNamespace& where;
  std::string interface;
  std::string address, peer_address;  ///< of the hardware, at either end
};

class TokenBucket {
 public:
  /// Of the root discipline `1:` of that interface. Call inside run_isolated(), in the process that will use it. Throws
  /// RunFailure.
  explicit TokenBucket(const SendingEnd& end);
  /// A rate of 1 byte/s, which is as little as the kernel knows, holds whatever comes. Throws RunFailure.
  void set(Bandwidth rate, Bytes burst, Bytes queue) const;

 private:
  void wake() const;

  std::string name_;
  int index_ = 0;
  Descriptor netlink_, packets_;
  std::string frame_;
};

}  // namespace lockstep::real

// One network namespace: a machine of the lab.
//
// Contract:
//  - enter() moves the calling thread; InNamespace moves it back at the end of its scope;
//  - the name can be used with `ip -n NAME` and `ip netns exec NAME` by every process inside the same run_isolated();
//  - the namespace ends with the last process and descriptor that holds it.
#pragma once

#include <string>

#include "real/lab/descriptor.hpp"

namespace lockstep::real {

class NetworkNamespace {
 public:
  /// A new, empty namespace (loopback down). Throws RunFailure.
  explicit NetworkNamespace(std::string name);
  [[nodiscard]] const std::string& name() const { return name_; }
  void enter() const;

 private:
  std::string name_;
  Descriptor handle_;
};

/// Gives the calling process a /sys that shows the interfaces of its network namespace, as libraries look for them
/// there (UCX), in a mount namespace of its own. Throws InputError where the machine refuses.
void show_own_interfaces();

class InNamespace {
 public:
  explicit InNamespace(const NetworkNamespace& where);
  ~InNamespace();
  InNamespace(const InNamespace&) = delete;
  InNamespace& operator=(const InNamespace&) = delete;

 private:
  Descriptor origin_;
};

}  // namespace lockstep::real

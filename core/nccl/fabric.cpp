#include "core/nccl/fabric.hpp"

#include "core/base/error.hpp"

namespace lockstep::nccl {

std::string_view to_string(Fabric fabric) {
  switch (fabric) {
    case Fabric::none:
      return "none";
    case Fabric::infiniband:
      return "infiniband";
    case Fabric::roce:
      return "roce";
    case Fabric::efa:
      return "efa";
    case Fabric::slingshot:
      return "slingshot";
    case Fabric::ethernet:
      return "ethernet";
  }
  LOCKSTEP_CHECK(false, "fabric {}", static_cast<int>(fabric));
}

Fabric fabric_of(LinkKind kind) {
  switch (kind) {
    case LinkKind::infiniband:
      return Fabric::infiniband;
    case LinkKind::roce:
      return Fabric::roce;
    case LinkKind::efa:
      return Fabric::efa;
    case LinkKind::slingshot:
      return Fabric::slingshot;
    case LinkKind::ethernet:
      return Fabric::ethernet;
    default:
      return Fabric::none;
  }
}

double reported_latency_us(Fabric fabric) { return fabric == Fabric::efa ? 75 : 0; }

bool ll128_across(Fabric fabric) {
  return fabric == Fabric::infiniband || fabric == Fabric::roce || fabric == Fabric::efa;
}

}  // namespace lockstep::nccl

// The module `ucx`.
#include "real/transport/module.hpp"

#include "core/base/version.hpp"
#include "real/ucx/put.hpp"
#include "real/ucx/tagged.hpp"

namespace lockstep::real {
namespace {

std::unique_ptr<Transport> make(Control& control, const std::vector<int>& peers, const std::string& variant) {
  if (variant == "ucx_put") return std::make_unique<UcxPut>(control, peers);
  return std::make_unique<UcxTagged>(control, peers);
}

std::string library() { return fmt::format("UCX {}", ucp_get_version_string()); }

}  // namespace
}  // namespace lockstep::real

extern "C" __attribute__((visibility("default"))) const lockstep::real::TransportModule* lockstep_transport_module() {
  static const lockstep::real::TransportModule module{lockstep::version, lockstep::real::make, lockstep::real::library};
  return &module;
}

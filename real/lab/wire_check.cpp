#include "real/lab/wire_check.hpp"

#include "core/base/error.hpp"

namespace lockstep::real {

std::vector<std::string> check_wire(const Topology& topology, const std::vector<Bytes>& payload,
                                    const std::vector<Bytes>& wire, const WireCheckOptions& options) {
  LOCKSTEP_CHECK(payload.size() == topology.links.size() && wire.size() == topology.links.size(),
                 "one figure per link");
  std::vector<std::string> findings;
  for (LinkId link = 0; link < wire.size(); ++link) {
    const auto expected = static_cast<double>(payload[link].count());
    const auto opposite = static_cast<double>(payload[link ^ 1U].count());
    const auto most = expected * (1 + options.overhead) + opposite * options.acknowledgements +
                      static_cast<double>(options.slack.count());
    const auto carried = static_cast<double>(wire[link].count());
    if (carried >= expected && carried <= most) continue;
    const auto& ends = topology.links[link];
    findings.push_back(
        fmt::format("link {} -> {} carried {} but the plan says {}: {}", topology.devices[ends.from].name,
                    topology.devices[ends.to].name, format_bytes(wire[link]), format_bytes(payload[link]),
                    carried < expected ? "the ranks found another way (shared memory?)"
                                       : "other traffic, retransmissions, or another route than the plan's"));
  }
  return findings;
}

}  // namespace lockstep::real

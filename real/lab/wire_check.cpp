#include "real/lab/wire_check.hpp"

#include "core/base/error.hpp"

namespace lockstep::real {

std::vector<std::string> check_wire(const Topology& topology, const std::vector<LinkTraffic>& planned,
                                    const std::vector<Bytes>& wire, const WireCheckOptions& options) {
  LOCKSTEP_CHECK(planned.size() == topology.links.size() && wire.size() == topology.links.size(),
                 "one figure per link");
  std::vector<std::string> findings;
  for (LinkId link = 0; link < wire.size(); ++link) {
    const LinkTraffic& opposite = planned[link ^ 1U];
    const auto expected = static_cast<double>(planned[link].payload.count());
    const auto most =
        expected * (1 + options.overhead) + static_cast<double>(opposite.payload.count()) * options.acknowledgements +
        static_cast<double>(planned[link].more.count() + planned[link].messages * options.message.count() +
                            opposite.messages * options.message_acknowledged.count() + options.slack.count());
    const auto carried = static_cast<double>(wire[link].count());
    if (carried >= expected && carried <= most) continue;
    const auto& ends = topology.links[link];
    findings.push_back(
        fmt::format("link {} -> {} carried {} but the plan says {}: {}", topology.devices[ends.from].name,
                    topology.devices[ends.to].name, format_bytes(wire[link]), format_bytes(planned[link].payload),
                    carried < expected ? "the ranks found another way (shared memory?)"
                                       : "other traffic, retransmissions, or another route than the plan's"));
  }
  return findings;
}

}  // namespace lockstep::real

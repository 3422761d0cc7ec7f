#include "core/topology/as_built.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>
#include <vector>

#include "core/base/error.hpp"

namespace lockstep {

int apply_as_built(Topology& topology, const nlohmann::ordered_json& as_built) {
  if (!as_built.is_object() || !as_built.contains("links"))
    throw InputError("as_built: the result holds no network that was built (it is none of a lab measurement)");
  // Parallel cables between the same two devices come in the order of the topology.
  std::map<std::pair<std::string, std::string>, std::vector<LinkId>> by_ends;
  for (LinkId link = 0; link < topology.links.size(); ++link)
    by_ends[{topology.devices[topology.links[link].from].name, topology.devices[topology.links[link].to].name}]
        .push_back(link);
  std::map<std::pair<std::string, std::string>, std::size_t> used;
  try {
    for (const auto& row : as_built.at("links")) {
      const std::pair<std::string, std::string> ends{row.at("from").get<std::string>(),
                                                     row.at("to").get<std::string>()};
      const auto known = by_ends.find(ends);
      const std::size_t at = used[ends]++;
      if (known == by_ends.end() || at >= known->second.size())
        throw InputError(fmt::format("as_built: topology '{}' has no link {} -> {}; was it measured on another one?",
                                     topology.name, ends.first, ends.second));
      Link& link = topology.links[known->second[at]];
      link.bandwidth =
          Bandwidth::bits_per_second(static_cast<std::int64_t>(row.at("rate_Gbps").get<double>() * 1e9 + 0.5));
      link.burst = Bytes{row.at("burst_bytes").get<std::int64_t>()};
      link.queue = Bytes{row.at("queue_bytes").get<std::int64_t>()};
      link.latency = from_seconds(row.at("delay_s").get<double>());
      link.mtu = Bytes{row.at("mtu_bytes").get<std::int64_t>()};
    }
    // Static routes, whatever the file asks its switches to do.
    auto& mode = topology.routing.mode;
    if (mode == RoutingMode::spray || mode == RoutingMode::adaptive) mode = RoutingMode::ecmp;
    for (auto& device : topology.devices)
      device.latency = Duration{0};  // bridges and routers of the lab add what the profile measures
    return as_built.contains("cores") && as_built.at("cores").is_number_integer() ? as_built.at("cores").get<int>() : 0;
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("as_built: {}", error.what()));
  }
}

}  // namespace lockstep

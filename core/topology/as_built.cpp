#include "core/topology/as_built.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

// The last of the numbers of tcp_wmem ("4096 65536 65536") and their like; nothing if there is none.
std::optional<std::int64_t> last_number(const std::string& text) {
  const auto space = text.rfind(' ');
  const char* begin = text.data() + (space == std::string::npos ? 0 : space + 1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

// What was in force; the rest stays as the file has it.
void apply_tcp(HostTcp& tcp, const nlohmann::ordered_json& found, Bytes largest_packet) {
  const auto text = [&found](const char* key) {
    return found.contains(key) && found.at(key).is_string() ? found.at(key).get<std::string>() : std::string();
  };
  if (const auto bytes = last_number(text("tcp_wmem"))) tcp.send_buffer = Bytes{*bytes};
  if (const auto bytes = last_number(text("tcp_rmem"))) tcp.receive_buffer = Bytes{*bytes};
  if (const auto bytes = last_number(text("tcp_limit_output_bytes"))) tcp.output_limit = Bytes{*bytes};
  if (const auto idle = text("tcp_slow_start_after_idle"); !idle.empty()) tcp.slow_start_after_idle = idle != "0";
  if (const auto control = tcp_control_named(text("congestion_control_of_routes"))) tcp.congestion_control = control;
  if (found.contains("initial_window_segments") && found.at("initial_window_segments").is_number_integer())
    tcp.initial_window = found.at("initial_window_segments").get<std::int64_t>();
  if (largest_packet.count() > 0) tcp.largest_packet = largest_packet;
}

}  // namespace

int apply_as_built(Topology& topology, const nlohmann::ordered_json& as_built) {
  if (!as_built.is_object() || !as_built.contains("links"))
    throw InputError("as_built: the result holds no network that was built (it is none of a lab measurement)");
  // Parallel cables between the same two devices come in the order of the topology.
  std::map<std::pair<std::string, std::string>, std::vector<LinkId>> by_ends;
  for (LinkId link = 0; link < topology.links.size(); ++link)
    by_ends[{topology.devices[topology.links[link].from].name, topology.devices[topology.links[link].to].name}]
        .push_back(link);
  std::map<std::pair<std::string, std::string>, std::size_t> used;
  Bytes largest_packet{0};
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
      const Bytes packet{row.value("gso_max_size_bytes", std::int64_t{0})};
      largest_packet = largest_packet.count() == 0 ? packet : std::min(largest_packet, packet);
    }
    if (as_built.contains("tcp") && as_built.at("tcp").is_object())
      apply_tcp(topology.tcp, as_built.at("tcp"), largest_packet);
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

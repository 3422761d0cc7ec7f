#include "core/topology/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace lockstep {

bool TopologyBuilder::reserve(std::int64_t nodes, std::int64_t switches, std::int64_t cables,
                              const config::Position& position) {
  const auto bounded = [&](__int128 wanted, std::int64_t limit, const char* what) {
    if (wanted <= limit) return true;
    const __int128 most_shown = std::numeric_limits<std::int64_t>::max();
    error(position,
          fmt::format("too large: {}{} {}; a topology holds at most {}", wanted > most_shown ? "more than " : "",
                      static_cast<std::int64_t>(std::min(wanted, most_shown)), what, limit));
    return false;
  };
  return bounded(
             static_cast<__int128>(nodes) * node_.devices + switches + static_cast<__int128>(topology_.devices.size()),
             device_limit, "devices") &&
         bounded(cables, cable_limit, "cables between switches");
}

std::vector<DeviceId> TopologyBuilder::add_node(std::int64_t index) {
  return node_.build(topology_, fmt::format("{}{}", node_.prefix, index));
}

std::vector<DeviceId> TopologyBuilder::add_switches(std::string_view prefix, std::int64_t count, Duration latency) {
  std::vector<DeviceId> switches;
  for (std::int64_t i = 0; i < count; ++i) switches.push_back(add_switch(fmt::format("{}{}", prefix, i), latency));
  return switches;
}

}  // namespace lockstep

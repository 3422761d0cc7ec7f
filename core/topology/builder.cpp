#include "core/topology/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace lockstep {

bool TopologyBuilder::reserve(std::int64_t nodes, std::int64_t switches, const config::Position& position) {
  const __int128 wanted = static_cast<__int128>(nodes) * node_.devices + switches + static_cast<__int128>(topology_.devices.size());
  if (wanted <= device_limit) return true;
  const auto shown = static_cast<std::int64_t>(std::min<__int128>(wanted, std::numeric_limits<std::int64_t>::max()));
  error(position, fmt::format("too large: {} devices; a topology holds at most {}", shown, device_limit));
  return false;
}

}  // namespace lockstep

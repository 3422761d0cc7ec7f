#include "core/topology/generators/oversubscription.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {
constexpr std::int64_t millionths = 1'000'000;
}

config::Type<double> oversubscription() {
  return config::number(-1e6, 1e6)
      .where([](const double& ratio) -> std::optional<std::string> {
        if (ratio * millionths >= 1.0) return std::nullopt;
        return fmt::format("oversubscription must be positive, is '{}'; 1 is none, 2 halves the uplinks", ratio);
      })
      .with_schema({{"minimum", 1e-6}});
}

Bandwidth uplink_rate(Bandwidth rate, std::int64_t ports, std::int64_t uplinks, double ratio) {
  const __int128 total = static_cast<__int128>(rate.bits_per_second()) * ports;
  const auto per_million = static_cast<__int128>(std::llround(ratio * millionths));
  const __int128 most = __int128{1} << 62;
  // total < 2^93 (ports < 2^30): times a million still fits.
  return Bandwidth::bits_per_second(
      static_cast<std::int64_t>(std::min(most, total * millionths / (per_million * uplinks))));
}

}  // namespace lockstep

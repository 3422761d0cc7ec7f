#include "core/topology/host_tcp.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace lockstep {

namespace {

const std::vector<std::pair<std::string, CongestionControl>>& controls() {
  static const std::vector<std::pair<std::string, CongestionControl>> names{{"cubic", CongestionControl::cubic},
                                                                            {"reno", CongestionControl::reno}};
  return names;
}

}  // namespace

std::optional<CongestionControl> tcp_control_named(std::string_view name) {
  for (const auto& [known, control] : controls())
    if (known == name) return control;
  return std::nullopt;
}

config::Type<HostTcp> host_tcp_type() {
  constexpr std::int64_t most_segments = 65535;
  static constexpr Bytes least_buffer = 4_KiB;
  return config::record<HostTcp>("tcp",
                                 "How the hosts' TCP is set: the lab does so, fidelity packet predicts with it. What "
                                 "is left out is what suits a training network (the lab), or the profile's.")
      .optional("congestion_control", &HostTcp::congestion_control,
                config::choice<CongestionControl>("congestion control", controls()),
                "cubic or reno (lab: cubic where the kernel has it)")
      .optional("initial_window", &HostTcp::initial_window, config::integer(1, most_segments),
                "segments before the first acknowledgement (lab: 10000; a machine of its own: 10)")
      .optional("slow_start_after_idle", &HostTcp::slow_start_after_idle, config::boolean(),
                "a connection that was idle begins at the initial window again (lab: false; Linux: true)")
      .optional("send_buffer", &HostTcp::send_buffer, config::bytes().positive(),
                "of a socket, tcp_wmem (lab: 10 ms of the slowest link, 128KiB at least)")
      .optional("receive_buffer", &HostTcp::receive_buffer, config::bytes().positive(),
                "of a socket, tcp_rmem (lab: 20 ms of the slowest link, 256KiB at least)")
      .rule([](const HostTcp& tcp, const config::Node& node, config::Diagnostics& diagnostics) {
        for (const auto& buffer : {tcp.send_buffer, tcp.receive_buffer})
          if (buffer && *buffer < least_buffer)
            diagnostics.error(node.position, fmt::format("a socket buffer of {} holds no packet: {} at least",
                                                         format_bytes(*buffer), format_bytes(least_buffer)));
      })
      .type();
}

}  // namespace lockstep

#include "core/topology/host_tcp.hpp"

#include <fmt/format.h>

namespace lockstep {

std::string_view to_string(TcpControl control) { return control == TcpControl::cubic ? "cubic" : "reno"; }

config::Type<HostTcp> host_tcp_type() {
  constexpr std::int64_t most_segments = 65535;
  static constexpr Bytes least_buffer = 4_KiB;
  return config::record<HostTcp>("tcp",
                                 "How the hosts' TCP is set: the lab does so, fidelity packet predicts with it. What "
                                 "is left out is what suits a training network (the lab), or the profile's.")
      .optional(
          "congestion_control", &HostTcp::congestion_control,
          config::choice<TcpControl>("congestion control", {{"cubic", TcpControl::cubic}, {"reno", TcpControl::reno}}),
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

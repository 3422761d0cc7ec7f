// How the hosts' TCP is set: `tcp:` of a topology file. The lab sets it in every host; fidelity packet has it where the
// transport is tcp. What is left open is the lab's own choice (docs/lab.md), and in a prediction the profile's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/config/type.hpp"
#include "core/profile/packet_transport.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

struct HostTcp {
  std::optional<CongestionControl> congestion_control;  ///< cubic or reno
  std::optional<std::int64_t> initial_window;           ///< segments
  std::optional<bool> slow_start_after_idle;            ///< an idle window shrinks to the initial one
  std::optional<Bytes> send_buffer;     ///< of a socket: tcp_wmem; memory, of which data are the larger part
  std::optional<Bytes> receive_buffer;  ///< tcp_rmem; most of it is window
  /// Set by what was built alone, not by files: what leaves a host as one (segmentation offload).
  std::optional<Bytes> largest_packet;
  std::optional<Bytes> output_limit;  ///< of a socket's bytes in the interface's queue (tcp_limit_output_bytes)

  friend bool operator==(const HostTcp&, const HostTcp&) = default;
};

/// By its name in files; nothing for what is none of the two.
std::optional<CongestionControl> tcp_control_named(std::string_view name);
/// The declaration of the section (reader, messages, schema).
config::Type<HostTcp> host_tcp_type();

}  // namespace lockstep

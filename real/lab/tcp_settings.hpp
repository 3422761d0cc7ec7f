// The TCP settings of every host of the lab, so that TCP's own dynamics do not hide the network; each with its reason.
#pragma once

#include <string>
#include <vector>

#include "core/topology/host_tcp.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep::real {

struct TcpSetting {
  std::string name;  ///< below /proc/sys/net/ipv4
  std::string value;
  std::string reason;
};

/// What the lab sets in each host, for the slowest link of a host and the longest round trip of the lab (its delays
/// alone).
///
/// The sizes follow the rate, and they decide (docs/lab.md has the figures): a deep send buffer or interface queue lets
/// a rank go on to its next partner with megabytes of the last exchange unsent, and the two flows then share the link;
/// a wide receive window lets a partner that is ahead take the share of the one that is waited for. Both turn a skew of
/// milliseconds into one of hundreds.
/// What the topology's file says of the hosts' TCP comes before all that.
std::vector<TcpSetting> lab_tcp_settings(Bandwidth slowest, Duration round_trip, const HostTcp& given = {});

/// What the hosts' routes ask for (`congctl`): cubic, else reno. Loss-based, so that the window stays where the routes
/// put it; bbr paces and probes on its own. By the routes, because tcp_congestion_control of a namespace refuses what
/// the machine's tcp_allowed_congestion_control does not list, even to root.
/// What the file asks for comes first; reno where the kernel has no cubic.
std::string lab_congestion_control(const HostTcp& given = {});

struct TcpSettingFound {
  std::string name;
  std::string value;  ///< in force; empty if unreadable
  bool set = false;   ///< the lab set it
};

/// Writes the settings in the network namespace of the calling thread (`wanted` empty: none) and reads back them
/// and those that are recorded only (tcp_timestamps, tcp_sack, ...). Never throws: what cannot be written is recorded
/// as such.
std::vector<TcpSettingFound> apply_tcp_settings(const std::vector<TcpSetting>& wanted);

/// The text of /proc/sys/NAME for the calling thread's network namespace; empty if unreadable. No line end.
std::string read_setting(const std::string& path);
/// False if it could not be written.
bool write_setting(const std::string& path, const std::string& value);

/// For the routes of a host: segments that may be in flight and that may be announced at once (10,000 of 1,448 bytes
/// are 14 MB).
inline constexpr int initial_window_segments = 10000;

}  // namespace lockstep::real

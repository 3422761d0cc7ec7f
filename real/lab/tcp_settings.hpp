// The TCP settings of every host of the lab, so that TCP's own dynamics do not hide the network; each with its reason.
#pragma once

#include <string>
#include <vector>

namespace lockstep::real {

struct TcpSetting {
  std::string name;      ///< below /proc/sys/net/ipv4
  std::string value;
  std::string reason;
};

/// What the lab sets in each host.
const std::vector<TcpSetting>& lab_tcp_settings();

struct TcpSettingFound {
  std::string name;
  std::string value;     ///< in force; empty if unreadable
  bool set = false;      ///< the lab set it
};

/// Writes the settings in the network namespace of the calling thread (none of them when `keep_defaults`) and reads back them
/// and those that are recorded only (tcp_timestamps, tcp_sack, ...). Never throws: what cannot be written is recorded as such.
std::vector<TcpSettingFound> apply_tcp_settings(bool keep_defaults);

/// The text of /proc/sys/NAME for the calling thread's network namespace; empty if unreadable. No line end.
std::string read_setting(const std::string& path);
/// False if it could not be written.
bool write_setting(const std::string& path, const std::string& value);

/// For the routes of a host: segments that may be in flight and that may be announced at once (10,000 of 1,448 bytes are 14 MB).
inline constexpr int initial_window_segments = 10000;

}  // namespace lockstep::real

#include "real/lab/tcp_settings.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "real/lab/descriptor.hpp"

namespace lockstep::real {

std::vector<TcpSetting> lab_tcp_settings(Bandwidth slowest, Duration round_trip, const HostTcp& given) {
  const auto in = [&](double seconds, Bytes least) {
    const double bytes = slowest.bytes_per_second() * (seconds + to_seconds(round_trip));
    return std::clamp(static_cast<std::int64_t>(bytes), least.count(), Bytes{256_MiB}.count());
  };
  const auto same = [](std::int64_t bytes) { return fmt::format("4096 {0} {0}", bytes); };
  const auto size = [&](const std::optional<Bytes>& buffer, std::int64_t usual) {
    return same(buffer ? buffer->count() : usual);
  };
  return {
      {"tcp_slow_start_after_idle", given.slow_start_after_idle.value_or(false) ? "1" : "0",
       "a partner that was idle for a round-trip time must not start from a small window"},
      {"tcp_no_metrics_save", "1", "a connection must not inherit what an earlier one learnt"},
      {"tcp_wmem", size(given.send_buffer, in(10e-3, 128_KiB)),
       "10 ms of the link: the bucket never runs dry between two wake-ups, and little is left behind when a rank turns "
       "to another partner"},
      {"tcp_rmem", size(given.receive_buffer, in(20e-3, 256_KiB)),
       "20 ms of the link (most of it is window): a partner that is ahead cannot take the link from the one that is "
       "waited for"},
      {"tcp_limit_output_bytes", fmt::format("{}", in(1e-3, 16_KiB)),
       "1 ms of the link in the interface's queue: flows share fairly, acknowledgements wait briefly"},
      {"tcp_autocorking", "0", "a small message leaves at once even if an earlier one is still queued"},
  };
}

std::string lab_congestion_control(const HostTcp& given) {
  if (given.congestion_control == CongestionControl::reno) return "reno";
  // Reno is built into every kernel.
  std::istringstream available(read_setting("net/ipv4/tcp_available_congestion_control"));
  for (std::string name; available >> name;)
    if (name == "cubic") return name;
  return "reno";
}

std::string read_setting(const std::string& path) {
  const Descriptor file(::open(("/proc/sys/" + path).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> buffer{};
  const ssize_t n = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
  if (n <= 0) return {};
  std::string text(buffer.data(), static_cast<std::size_t>(n));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text)
    if (c == '\t') c = ' ';
  return text;
}

bool write_setting(const std::string& path, const std::string& value) {
  const Descriptor file(::open(("/proc/sys/" + path).c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

std::vector<TcpSettingFound> apply_tcp_settings(const std::vector<TcpSetting>& wanted) {
  std::vector<TcpSettingFound> found;
  for (const auto& setting : wanted) {
    const bool set = write_setting("net/ipv4/" + setting.name, setting.value);
    found.push_back({setting.name, read_setting("net/ipv4/" + setting.name), set});
  }
  for (const char* name : {"tcp_congestion_control", "tcp_slow_start_after_idle", "tcp_no_metrics_save", "tcp_wmem",
                           "tcp_rmem", "tcp_limit_output_bytes", "tcp_autocorking", "tcp_timestamps", "tcp_sack",
                           "tcp_ecn", "tcp_min_tso_segs", "tcp_moderate_rcvbuf"}) {
    if (std::none_of(found.begin(), found.end(), [&](const auto& setting) { return setting.name == name; }))
      found.push_back({name, read_setting(std::string("net/ipv4/") + name), false});
  }
  return found;
}

}  // namespace lockstep::real

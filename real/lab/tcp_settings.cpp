#include "real/lab/tcp_settings.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "real/lab/descriptor.hpp"

namespace lockstep::real {

const std::vector<TcpSetting>& lab_tcp_settings() {
  static const std::vector<TcpSetting> settings{
      {"tcp_congestion_control", "cubic", "loss-based, so the window stays where the routes put it; bbr paces and probes on its own"},
      {"tcp_slow_start_after_idle", "0", "a partner that was idle for a round-trip time must not start from a small window"},
      {"tcp_no_metrics_save", "1", "a connection must not inherit what an earlier one learnt"},
      {"tcp_rmem", "4096 67108864 134217728", "a whole 16 MiB message fits the receive window; no auto-tuning on the way"},
      {"tcp_wmem", "4096 4194304 16777216", "send buffer large enough that the bucket never runs dry between two wake-ups"},
      {"tcp_limit_output_bytes", "262144", "a connection keeps little in the interface's queue: flows share fairly, acknowledgements wait briefly"},
      {"tcp_autocorking", "0", "a small message leaves at once even if an earlier one is still queued"},
  };
  return settings;
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

std::vector<TcpSettingFound> apply_tcp_settings(bool keep_defaults) {
  std::vector<TcpSettingFound> found;
  for (const auto& setting : lab_tcp_settings()) {
    const bool set = !keep_defaults && write_setting("net/ipv4/" + setting.name, setting.value);
    found.push_back({setting.name, read_setting("net/ipv4/" + setting.name), set});
  }
  for (const char* name : {"tcp_timestamps", "tcp_sack", "tcp_ecn", "tcp_min_tso_segs", "tcp_moderate_rcvbuf"})
    found.push_back({name, read_setting(std::string("net/ipv4/") + name), false});
  return found;
}

}  // namespace lockstep::real

#include <fmt/format.h>

#include <algorithm>

#include "core/profile/profile.hpp"
#include "core/units/parse.hpp"

namespace lockstep {
namespace {

/// A string of JSON is a double-quoted string of YAML.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Words that need no quotes whoever reads them; all else is quoted.
std::string plain_or_quoted(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const bool plain = !text.empty() && letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
  });
  std::string lower = text;
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const char* word : {"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
    if (lower == word) return quoted(text);
  return plain ? text : quoted(text);
}

/// Maps as blocks, lists and scalars in flow style.
void write_map(const config::Json& map, const std::string& indent, std::string& text) {
  for (const auto& [key, value] : map.items()) {
    text += indent + plain_or_quoted(key) + ":";
    if (value.is_object() && !value.empty()) {
      text += '\n';
      write_map(value, indent + "  ", text);
    } else {
      const std::string flow = value.is_string() ? plain_or_quoted(value.get<std::string>())
                                                 : value.dump(-1, ' ', false, config::Json::error_handler_t::replace);
      text += " " + flow + "\n";
    }
  }
}

std::string interval(const MessageCost& cost) {
  std::vector<std::string> keys;
  if (cost.up_to) keys.push_back("up_to: " + to_text(*cost.up_to));
  keys.push_back("overhead: " + to_text(cost.overhead));
  keys.push_back("receive_overhead: " + to_text(cost.receive_overhead));
  keys.push_back("latency: " + to_text(cost.latency));
  if (cost.send_bandwidth) keys.push_back("send_bandwidth: " + to_text(*cost.send_bandwidth));
  if (cost.receive_bandwidth) keys.push_back("receive_bandwidth: " + to_text(*cost.receive_bandwidth));
  return fmt::format("    - {{{}}}\n", fmt::join(keys, ", "));
}

// One rate for all sizes has a key of its own.
std::optional<Bandwidth> one_bandwidth(const std::vector<TrafficInterval>& intervals) {
  const bool one = intervals.size() == 1 && !intervals.front().up_to && intervals.front().overhead.count() == 0;
  return one ? intervals.front().rate : std::nullopt;
}

}  // namespace

std::string to_yaml(const Profile& profile) {
  std::string text = "schema: lockstep.profile/1\n";
  text += fmt::format("name: {}\n", plain_or_quoted(profile.name));
  if (!profile.backend.empty()) text += fmt::format("backend: {}\n", plain_or_quoted(profile.backend));
  if (profile.cores) text += fmt::format("cores: {}\n", *profile.cores);
  if (const auto bandwidth = one_bandwidth(profile.copies))
    text += fmt::format("copy_bandwidth: {}\n", to_text(*bandwidth));
  else if (!profile.copies.empty())
    text += "copies:\n  intervals:\n" + intervals_yaml(profile.copies, "    ");
  if (profile.start_latency.count() > 0) text += fmt::format("start_latency: {}\n", to_text(profile.start_latency));
  if (profile.start_overhead.count() > 0) text += fmt::format("start_overhead: {}\n", to_text(profile.start_overhead));
  text += "reduction:\n";
  if (const auto bandwidth = one_bandwidth(profile.reduction.intervals))
    text += fmt::format("  bandwidth: {}\n", to_text(*bandwidth));
  else if (!profile.reduction.intervals.empty())
    text += "  intervals:\n" + intervals_yaml(profile.reduction.intervals, "    ");
  text += fmt::format("  granularity: {}\n", to_text(profile.reduction.granularity));
  if (const std::string kernels = to_yaml(profile.compute); !kernels.empty()) text += "compute:\n" + kernels;
  text += "tcp:\n";
  if (!profile.tcp.messages.empty()) {
    text += "  messages:\n";
    for (const auto& cost : profile.tcp.messages) text += interval(cost);
  }
  const Framing& framing = profile.tcp.framing;
  text += fmt::format("  framing: {{packet_header: {}, frame_header: {}, acknowledgement: {}, acknowledged: {}}}\n",
                      to_text(framing.packet_header), to_text(framing.frame_header), to_text(framing.acknowledgement),
                      to_text(framing.acknowledged));
  if (profile.tcp.switch_overhead.count() > 0)
    text += fmt::format("  switch_overhead: {}\n", to_text(profile.tcp.switch_overhead));
  text += fmt::format("  message_header: {}\n", to_text(profile.tcp.message_header));
  if (profile.tcp.eager_threshold)
    text += fmt::format("  eager_threshold: {}\n", to_text(*profile.tcp.eager_threshold));
  if (profile.tcp.send_buffer) text += fmt::format("  send_buffer: {}\n", to_text(*profile.tcp.send_buffer));
  if (profile.tcp.copied) text += "  copied: true\n";
  if (profile.tcp.ordered) text += "  ordered: true\n";
  if (const std::string keys = to_yaml(profile.transport); !keys.empty()) text += "transport:\n" + keys;
  if (profile.nccl) text += "nccl:\n" + to_yaml(*profile.nccl);
  if (profile.loader) text += "loader:\n" + to_yaml(*profile.loader);
  if (profile.measured.is_object()) {
    text += profile.measured.empty() ? "measured: {}\n" : "measured:\n";
    write_map(profile.measured, "  ", text);
  }
  return text;
}

}  // namespace lockstep

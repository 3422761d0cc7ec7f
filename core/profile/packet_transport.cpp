#include "core/profile/packet_transport.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "core/profile/names.hpp"
#include "core/units/parse.hpp"

namespace lockstep {
namespace {

const std::vector<std::pair<std::string, TransportKind>>& kinds() {
  static const std::vector<std::pair<std::string, TransportKind>> names{
      {"rdma", TransportKind::rdma}, {"tcp", TransportKind::tcp}, {"sender_based", TransportKind::sender_based}};
  return names;
}

const std::vector<std::pair<std::string, CongestionControl>>& controls() {
  static const std::vector<std::pair<std::string, CongestionControl>> names{{"none", CongestionControl::none},
                                                                            {"dcqcn", CongestionControl::dcqcn},
                                                                            {"cubic", CongestionControl::cubic},
                                                                            {"reno", CongestionControl::reno}};
  return names;
}

const std::vector<std::pair<std::string, Recovery>>& recoveries() {
  static const std::vector<std::pair<std::string, Recovery>> names{{"go_back_n", Recovery::go_back_n},
                                                                   {"selective_repeat", Recovery::selective_repeat}};
  return names;
}

config::Type<Dcqcn> dcqcn_type() {
  return config::record<Dcqcn>("dcqcn", "DCQCN, by the names that NICs give its settings.")
      .optional("g", &Dcqcn::g, config::fraction(), "weight of a mark in alpha (default 1/256)")
      .optional("alpha_period", &Dcqcn::alpha_period, config::duration().positive(),
                "without a mark alpha falls every so often (default 55us)")
      .optional("time_reset", &Dcqcn::time_reset, config::duration().positive(),
                "rpg_time_reset: the rate rises every so often (default 55us)")
      .optional("byte_reset", &Dcqcn::byte_reset, config::bytes().positive(),
                "rpg_byte_reset: and after so many bytes (default 10MB)")
      .optional("threshold", &Dcqcn::threshold, config::integer(1, 1000),
                "rpg_threshold: rises of fast recovery (default 5)")
      .optional("additive_increase", &Dcqcn::additive_increase, config::bandwidth().positive(),
                "rpg_ai_rate (default: 0.4% of the link)")
      .optional("hyper_increase", &Dcqcn::hyper_increase, config::bandwidth().positive(),
                "rpg_hai_rate (default: a hundredth of the link)")
      .optional("min_time_between_cnps", &Dcqcn::min_time_between_cnps, config::duration(),
                "notifications of one connection (default 50us)")
      .optional("rate_reduce_monitor_period", &Dcqcn::rate_reduce_monitor_period, config::duration(),
                "at most one cut in so long (default 0s)")
      .optional("min_decrease", &Dcqcn::min_decrease, config::fraction(),
                "rpg_min_dec_fac: what a cut leaves at least (default 50%)")
      .optional("min_rate", &Dcqcn::min_rate, config::bandwidth().positive(),
                "rpg_min_rate (default: a thousandth of the link)")
      .type();
}

}  // namespace

std::string_view to_string(TransportKind kind) { return name_of(kind, kinds()); }
std::string_view to_string(CongestionControl control) { return name_of(control, controls()); }

std::optional<std::string> misfit(TransportKind kind, CongestionControl control) {
  using enum CongestionControl;
  const bool fits = kind == TransportKind::tcp    ? control != dcqcn
                    : kind == TransportKind::rdma ? control == dcqcn || control == none
                                                  : false;
  if (fits) return std::nullopt;
  return fmt::format("transport '{}' has no congestion control '{}'", to_string(kind), to_string(control));
}

config::Type<PacketTransport> packet_transport_type() {
  return config::record<PacketTransport>(
             "transport",
             "How messages become packets and what the sender makes of losses and marks; only fidelity packet looks at "
             "it.")
      .optional("kind", &PacketTransport::kind, config::choice<TransportKind>("transport", kinds()),
                "rdma, tcp or sender_based (default: tcp for profiles of the backends tcp and lab, else rdma)")
      .optional("congestion_control", &PacketTransport::congestion_control,
                config::choice<CongestionControl>("congestion control", controls()),
                "none (default but for tcp), dcqcn (rdma), cubic (default for tcp) or reno")
      .optional("recovery", &PacketTransport::recovery, config::choice<Recovery>("recovery", recoveries()),
                "rdma, after a loss: go_back_n (default) or selective_repeat")
      .optional("window", &PacketTransport::window, config::bytes().positive(),
                "rdma: bytes under way without an acknowledgement (default: no limit)")
      .optional("acknowledge_every", &PacketTransport::acknowledge_every, config::integer(1, 1'000'000),
                "packets per acknowledgement, where framing.acknowledged does not say (default 2 for tcp, 4 for rdma)")
      .optional("timeout", &PacketTransport::timeout, config::duration().positive(),
                "least time until something is sent again unasked (default 200ms for tcp, 1ms for sender_based, for "
                "rdma 67ms or more)")
      .optional("dcqcn", &PacketTransport::dcqcn, dcqcn_type(), "settings of DCQCN")
      .optional("initial_window", &PacketTransport::initial_window, config::integer(1, 1'000'000),
                "tcp: segments that a connection begins with (default 10)")
      .optional("receive_window", &PacketTransport::receive_window, config::bytes().positive(),
                "tcp: bytes that a receiver takes ahead (default: no limit)")
      .optional("slow_start_after_idle", &PacketTransport::slow_start_after_idle, config::boolean(),
                "tcp: the window of an idle connection shrinks (default true)")
      .optional("burst_segments", &PacketTransport::burst_segments, config::integer(1, 64),
                "tcp: segments that leave their host as one, as segmentation offload does (default 1)")
      .optional("target_delay", &PacketTransport::target_delay, config::duration().positive(),
                "sender_based: of queues (default 6us)")
      .rule([](const PacketTransport& transport, const config::Node& node, config::Diagnostics& diagnostics) {
        if (!transport.congestion_control || !transport.kind) return;
        if (const auto wrong = misfit(*transport.kind, *transport.congestion_control))
          diagnostics.error(node.find("congestion_control")->position, *wrong);
      })
      .type();
}

std::string to_yaml(const PacketTransport& transport) {
  const PacketTransport standard;
  std::string text;
  const auto line = [&text](std::string_view key, std::string_view value) {
    text += fmt::format("  {}: {}\n", key, value);
  };
  if (transport.kind) line("kind", to_string(*transport.kind));
  if (transport.congestion_control) line("congestion_control", to_string(*transport.congestion_control));
  if (transport.recovery != standard.recovery) line("recovery", name_of(transport.recovery, recoveries()));
  if (transport.window) line("window", to_text(*transport.window));
  if (transport.acknowledge_every) line("acknowledge_every", std::to_string(*transport.acknowledge_every));
  if (transport.timeout) line("timeout", to_text(*transport.timeout));
  if (transport.initial_window != standard.initial_window)
    line("initial_window", std::to_string(transport.initial_window));
  if (transport.receive_window) line("receive_window", to_text(*transport.receive_window));
  if (!transport.slow_start_after_idle) line("slow_start_after_idle", "false");
  if (transport.burst_segments != standard.burst_segments)
    line("burst_segments", std::to_string(transport.burst_segments));
  if (transport.target_delay != standard.target_delay) line("target_delay", to_text(transport.target_delay));
  const Dcqcn& d = transport.dcqcn;
  const Dcqcn& s = standard.dcqcn;
  std::string inner;
  const auto add = [&inner](std::string_view key, const std::string& value) {
    inner += fmt::format("{}{}: {}", inner.empty() ? "" : ", ", key, value);
  };
  if (d.g != s.g) add("g", fmt::format("{}", d.g));
  if (d.alpha_period != s.alpha_period) add("alpha_period", to_text(d.alpha_period));
  if (d.time_reset != s.time_reset) add("time_reset", to_text(d.time_reset));
  if (d.byte_reset != s.byte_reset) add("byte_reset", to_text(d.byte_reset));
  if (d.threshold != s.threshold) add("threshold", std::to_string(d.threshold));
  if (d.additive_increase) add("additive_increase", to_text(*d.additive_increase));
  if (d.hyper_increase) add("hyper_increase", to_text(*d.hyper_increase));
  if (d.min_time_between_cnps != s.min_time_between_cnps)
    add("min_time_between_cnps", to_text(d.min_time_between_cnps));
  if (d.rate_reduce_monitor_period != s.rate_reduce_monitor_period)
    add("rate_reduce_monitor_period", to_text(d.rate_reduce_monitor_period));
  if (d.min_decrease != s.min_decrease) add("min_decrease", fmt::format("{}", d.min_decrease));
  if (d.min_rate) add("min_rate", to_text(*d.min_rate));
  if (!inner.empty()) text += "  dcqcn: {" + inner + "}\n";
  return text;
}

}  // namespace lockstep

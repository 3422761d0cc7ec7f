#include "sim/idle_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/catalogue.hpp"
#include "core/base/text.hpp"
#include "core/collective/walk.hpp"
#include "core/faults/timetable.hpp"
#include "core/workload/row_requests.hpp"
#include "sim/nccl/predict.hpp"
#include "sim/network/packet/settings.hpp"

namespace lockstep::sim {
namespace {

using Reason = std::optional<std::string>;

/// `key` is the end of a path ("loss" of "generate.star.link.loss"), or with a leading "^" the whole of it, where a
/// last "*" stands for anything.
struct Rule {
  std::string_view file;
  std::string_view key;
  Reason (*idle)(const Inputs& inputs);  ///< why the key did nothing; nothing: it may have done something
  bool only_by_setting = false;          ///< files are shared with measurements, for which the key is
};

bool analytic(const Inputs& inputs) { return inputs.fidelity == "analytic"; }

Reason under_analytic(const Inputs& inputs, std::string_view what) {
  if (!analytic(inputs)) return std::nullopt;
  return fmt::format("fidelity 'analytic' has no {}", what);
}

bool any_reduces(const Inputs& inputs) {
  return std::any_of(inputs.workload->collectives.begin(), inputs.workload->collectives.end(),
                     [](const CollectiveSpec& spec) { return reduces(spec.kind); });
}

bool has_headers(const Inputs& inputs) {
  const Framing& framing = inputs.profile->tcp.framing;
  return framing.packet_header.count() > 0 || framing.frame_header.count() > 0;
}

bool same(const Cost& a, const Cost& b) {
  return a.steps == b.steps && a.messages == b.messages && a.bytes == b.bytes &&
         std::equal(a.phases.begin(), a.phases.end(), b.phases.begin(), b.phases.end(),
                    [](const Phase& x, const Phase& y) {
                      return std::tie(x.rounds, x.bytes, x.slices) == std::tie(y.rounds, y.bytes, y.slices);
                    });
}

/// The algorithms of all rows that `given` holds for take no notice of a key: under none of the `changes` of it do they
/// cost anything else.
template <class Given, class... Changes>
Reason algorithms_ignore(const Inputs& inputs, std::string_view what, Given&& given, Changes&&... changes) {
  std::vector<std::string> names;
  const auto requests = row_requests(*inputs.planned);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const CollectiveSpec& spec = inputs.planned->rows[i].spec;
    if (!given(spec)) continue;
    const Algorithm* algorithm = find_in(algorithm_catalogue(), spec.algorithms.front());
    if (algorithm == nullptr || !algorithm->supports(spec.kind)) return std::nullopt;
    const ScheduleRequest& request = requests[i];
    const auto differs = [&](auto&& change) {
      ScheduleRequest other = request;
      change(other);
      return !same(algorithm->cost(request), algorithm->cost(other));
    };
    if ((differs(changes) || ...)) return std::nullopt;
    if (std::find(names.begin(), names.end(), algorithm->name) == names.end()) names.push_back(algorithm->name);
  }
  if (names.empty()) return std::nullopt;
  return fmt::format("{} {} in the same steps with any {}", join(names, ", "), names.size() == 1 ? "goes" : "go", what);
}

bool has_packets(const Inputs& inputs) { return inputs.fidelity == "packet" || inputs.fidelity == "mixed"; }

Reason of_packets(const Inputs& inputs) {
  if (has_packets(inputs)) return std::nullopt;
  return fmt::format("fidelity '{}' knows no packets", inputs.fidelity);
}
packet::Transport::Settings transport_of(const Inputs& inputs) {
  return packet::transport_settings(*inputs.topology, inputs.topology->routing.mode, *inputs.profile);
}
Reason of_transport(const Inputs& inputs, TransportKind kind) {
  if (const auto reason = of_packets(inputs)) return reason;
  const TransportKind is = *transport_of(inputs).transport.kind;
  if (is == kind) return std::nullopt;
  return fmt::format("the transport is {}, and this is of {}", to_string(is), to_string(kind));
}
Reason of_rdma(const Inputs& inputs) { return of_transport(inputs, TransportKind::rdma); }
Reason of_tcp(const Inputs& inputs) { return of_transport(inputs, TransportKind::tcp); }
Reason of_sender_based(const Inputs& inputs) { return of_transport(inputs, TransportKind::sender_based); }
Reason of_dcqcn(const Inputs& inputs) {
  if (const auto reason = of_rdma(inputs)) return reason;
  if (transport_of(inputs).transport.congestion_control == CongestionControl::dcqcn) return std::nullopt;
  return "without 'congestion_control: dcqcn' rates stay what they are";
}
Reason of_marks(const Inputs& inputs) {
  if (const auto reason = of_packets(inputs)) return reason;
  const auto transport = transport_of(inputs).transport;
  if (transport.kind == TransportKind::sender_based || transport.congestion_control == CongestionControl::dcqcn)
    return std::nullopt;
  return fmt::format("{} takes no notice of marks", to_string(*transport.kind));
}
Reason of_flow_control(const Inputs& inputs, FlowControl control) {
  if (const auto reason = of_packets(inputs)) return reason;
  const FlowControl is = *packet::switching_of(*inputs.topology, transport_of(inputs)).flow_control;
  if (is == control) return std::nullopt;
  return fmt::format("flow control is '{}', and this is of '{}'", to_string(is), to_string(control));
}
Reason of_pfc(const Inputs& inputs) { return of_flow_control(inputs, FlowControl::pfc); }
Reason of_credits(const Inputs& inputs) { return of_flow_control(inputs, FlowControl::credits); }

Reason loss_is_of_packets(const Inputs& inputs) {
  if (has_packets(inputs)) return std::nullopt;
  return fmt::format("fidelity '{}' knows no packets, so it loses none", inputs.fidelity);
}
Reason queue_is_of_packets(const Inputs& inputs) {
  if (has_packets(inputs)) return of_flow_control(inputs, FlowControl::none);
  return fmt::format("fidelity '{}' knows no packets, so none wait", inputs.fidelity);
}
Reason nothing_reduces(const Inputs& inputs) {
  if (any_reduces(inputs)) return std::nullopt;
  return "no collective of the workload combines data";
}
constexpr std::string_view all_faults = "^faults.*";
bool only_loses(const std::vector<Fault>& faults) {
  return std::all_of(faults.begin(), faults.end(), [](const Fault& fault) {
    const FaultEffects& e = fault.effects;
    return !e.bandwidth && !e.down && !e.jitter && !e.slow && !e.kill;
  });
}
Reason no_faults(const Inputs& inputs, const std::vector<Fault>& faults) {
  if (analytic(inputs)) return "fidelity 'analytic' does not simulate faults";
  for (const auto& row : inputs.planned->rows)
    if (nccl::is_nccl_row(row, *inputs.profile)) return "the model of NCCL does not simulate faults";
  return only_loses(faults) ? loss_is_of_packets(inputs) : std::nullopt;
}
// Where faults do other things too; else no_faults() has the word.
Reason loss_of_a_fault(const Inputs& inputs, const std::vector<Fault>& faults) {
  return no_faults(inputs, faults) ? std::nullopt : loss_is_of_packets(inputs);
}
Reason one_iteration(const Inputs& inputs) {
  if (has_packets(inputs) && packet::remembers(transport_of(inputs))) return std::nullopt;
  for (const auto* faults : {&inputs.topology->faults, &inputs.workload->faults})
    for (const Fault& fault : *faults)
      if (!analytic(inputs) && !steady(fault)) return std::nullopt;  // it hits some iterations and not others
  return "a simulation has no noise: one iteration stands for all";
}

bool any_slices(const Inputs& inputs) {
  const auto& rows = inputs.planned->rows;
  return std::any_of(rows.begin(), rows.end(), [&](const PlannedCollective& row) {
    // None: native, auto, a file's.
    const Algorithm* algorithm = find_in(algorithm_catalogue(), row.collective.algorithm);
    if (algorithm == nullptr) return false;
    const Cost cost = algorithm->cost(request_for(row.collective, {0, 0, inputs.planned->plan.ranks}));
    return std::any_of(cost.phases.begin(), cost.phases.end(), [](const Phase& phase) { return phase.slices > 1; });
  });
}

std::span<const Rule> rules() {
  static const std::array rules{
      Rule{"topology", all_faults, [](const Inputs& inputs) { return no_faults(inputs, inputs.topology->faults); }},
      Rule{"workload", all_faults, [](const Inputs& inputs) { return no_faults(inputs, inputs.workload->faults); }},
      Rule{"topology", "^faults.*.loss",
           [](const Inputs& inputs) { return loss_of_a_fault(inputs, inputs.topology->faults); }},
      Rule{"workload", "^faults.*.loss",
           [](const Inputs& inputs) { return loss_of_a_fault(inputs, inputs.workload->faults); }},
      Rule{"topology", "^routing.mode",
           [](const Inputs& inputs) -> Reason {
             const RoutingMode mode = inputs.topology->routing.mode;
             if (mode != RoutingMode::spray && mode != RoutingMode::adaptive) return std::nullopt;
             if (!analytic(inputs)) return std::nullopt;
             return fmt::format("fidelity '{}' gives every message one route, as ecmp does", inputs.fidelity);
           }},
      Rule{"topology", "loss", loss_is_of_packets},
      Rule{"topology", "queue", queue_is_of_packets},
      Rule{"topology", "^switching.xoff", of_pfc},
      Rule{"topology", "^switching.headroom", of_pfc},
      Rule{"topology", "^switching.credit_buffer", of_credits},
      Rule{"topology", "^switching.alpha",
           [](const Inputs& inputs) -> Reason {
             if (const auto reason = of_packets(inputs)) return reason;
             const Switching switching = packet::switching_of(*inputs.topology, transport_of(inputs));
             if (switching.flow_control == FlowControl::credits) return "credits say what an ingress may hold";
             if (switching.flow_control == FlowControl::pfc && switching.xoff) return "'xoff' takes its place";
             return std::nullopt;
           }},
      Rule{"topology", "^switching.buffer",
           [](const Inputs& inputs) -> Reason {
             if (const auto reason = of_packets(inputs)) return reason;
             if (packet::switching_of(*inputs.topology, transport_of(inputs)).flow_control == FlowControl::credits)
               return "credits say what an ingress may hold";
             return std::nullopt;
           }},
      Rule{"topology", "^switching.ecn_*", of_marks},
      Rule{"topology", "^switching.packets*",
           [](const Inputs& inputs) -> Reason {
             if (inputs.fidelity == "mixed") return std::nullopt;
             return fmt::format("fidelity '{}' is of one kind everywhere", inputs.fidelity);
           }},
      Rule{"topology", "^switching.reduction",
           [](const Inputs& inputs) -> Reason {
             if (has_packets(inputs)) return fmt::format("fidelity '{}' merges no messages", inputs.fidelity);
             const auto merges = [](const PlannedCollective& row) {
               const Algorithm* algorithm = find_in(algorithm_catalogue(), row.spec.algorithms.front());
               return algorithm != nullptr && algorithm->merges;
             };
             const auto& rows = inputs.planned->rows;
             if (std::any_of(rows.begin(), rows.end(), merges)) return std::nullopt;
             return "no collective of the workload goes by in_network";
           }},
      Rule{"topology", "^switching.flow_control", of_packets},
      Rule{"topology", "^switching.trimming", of_packets},
      Rule{"topology", "^switching.samples", of_packets},
      Rule{"topology", "^tcp.*", of_tcp, true},
      Rule{"topology", "burst", [](const Inputs& inputs) { return under_analytic(inputs, "token buckets"); }},
      Rule{"topology", "duplex",
           [](const Inputs& inputs) -> Reason {
             if (has_packets(inputs)) return "fidelity 'packet' gives each direction the bandwidth";
             return under_analytic(inputs, "traffic in two directions");
           }},
      Rule{"topology", "mtu",
           [](const Inputs& inputs) -> Reason {
             if (has_headers(inputs) || has_packets(inputs)) return std::nullopt;
             return fmt::format("profile '{}' has no headers, whatever the size of a packet", inputs.profile->name);
           }},
      Rule{"workload", "^iterations", one_iteration, true},
      Rule{"workload", "^warmup", one_iteration, true},
      Rule{"workload", "^ranks",
           [](const Inputs& inputs) -> Reason {
             if (!inputs.ranks_by_option) return std::nullopt;
             return "--ranks overrides it";
           }},
      Rule{"workload", "^collectives.*.chunk",
           [](const Inputs& inputs) {
             return algorithms_ignore(
                 inputs, "chunk", [](const CollectiveSpec& spec) { return spec.chunk.count() > 0; },
                 [](ScheduleRequest& request) { request.chunk = Bytes{0}; },
                 // What was given may be what the algorithm does anyway.
                 [](ScheduleRequest& request) { request.chunk = request.chunk * 2; },
                 [](ScheduleRequest& request) { request.chunk = Bytes{request.chunk.count() / 2}; });
           }},
      Rule{"workload", "^collectives.*.channels",
           [](const Inputs& inputs) {
             return algorithms_ignore(
                 inputs, "number of channels", [](const CollectiveSpec& spec) { return spec.channels > 1; },
                 [](ScheduleRequest& request) { request.channels = 1; });
           }},
      Rule{"workload", "^collectives.*.in_place",
           [](const Inputs& inputs) -> Reason {
             for (const auto& spec : inputs.workload->collectives)
               if (!needs_separate_source(spec.kind)) return std::nullopt;
             return "these collectives have two buffers at any rate";
           }},
      Rule{"profile", "reduction.bandwidth", nothing_reduces},
      Rule{"profile", "reduction.granularity",
           [](const Inputs& inputs) -> Reason {
             if (const auto reason = nothing_reduces(inputs)) return reason;
             if (inputs.profile->reduction.costs()) return std::nullopt;
             return "reduction is free without 'reduction.bandwidth'";
           }},
      Rule{"profile", "^reduction.*", nothing_reduces},
      Rule{"profile", "^compute.*",
           [](const Inputs& inputs) -> Reason {
             if (!inputs.planned->kernels.empty()) return std::nullopt;
             return "the workload has no kernels";
           },
           true},
      Rule{"profile", "copy_bandwidth", [](const Inputs& inputs) { return under_analytic(inputs, "local copies"); }},
      Rule{"profile", "^copies.*", [](const Inputs& inputs) { return under_analytic(inputs, "local copies"); }},
      Rule{"profile", "cores",
           [](const Inputs& inputs) -> Reason {
             if (analytic(inputs) && inputs.planned->kernels.empty())
               return under_analytic(inputs, "queues for processors");
             if (*inputs.profile->cores < inputs.planned->plan.ranks) return std::nullopt;
             return fmt::format("{} ranks never need more than so many cores", inputs.planned->plan.ranks);
           }},
      Rule{"profile", "start_latency", [](const Inputs& inputs) { return under_analytic(inputs, "common start"); }},
      Rule{"profile", "start_overhead", [](const Inputs& inputs) { return under_analytic(inputs, "common start"); }},
      Rule{"profile", "tcp.copied",
           [](const Inputs& inputs) -> Reason {
             const auto& messages = inputs.profile->tcp.messages;
             if (!messages.empty() && (messages.back().send_bandwidth || messages.back().receive_bandwidth))
               return std::nullopt;
             return "the last interval of 'messages' has no bandwidth";
           }},
      Rule{"profile", "tcp.ordered",
           [](const Inputs& inputs) -> Reason {
             return any_slices(inputs) ? std::nullopt : under_analytic(inputs, "connections");
           }},
      Rule{"profile", "tcp.send_buffer", [](const Inputs& inputs) { return under_analytic(inputs, "connections"); }},
      Rule{"profile", "tcp.switch_overhead",
           [](const Inputs& inputs) -> Reason {
             const auto& devices = inputs.topology->devices;
             if (std::any_of(devices.begin(), devices.end(),
                             [](const Device& device) { return device.kind == DeviceKind::network_switch; }))
               return std::nullopt;
             return fmt::format("topology '{}' has no switch", inputs.topology->name);
           }},
      Rule{"profile", "tcp.eager_threshold",
           [](const Inputs& inputs) -> Reason {
             if (analytic(inputs)) return under_analytic(inputs, "rendezvous");
             for (const auto& row : inputs.planned->rows)
               if (row.spec.sizes.front() > *inputs.profile->tcp.eager_threshold) return std::nullopt;
             return "no message of the workload is larger";
           }},
      Rule{"profile", "^transport.dcqcn.*", of_dcqcn},
      Rule{"profile", "^transport.recovery",
           [](const Inputs& inputs) -> Reason {
             if (const auto reason = of_rdma(inputs)) return reason;
             if (transport_of(inputs).reorders())
               return "where packets overtake each other, gaps are filled one by one";
             return std::nullopt;
           }},
      Rule{"profile", "^transport.acknowledge_every",
           [](const Inputs& inputs) -> Reason {
             if (const auto reason = of_packets(inputs)) return reason;
             if (transport_of(inputs).transport.kind == TransportKind::sender_based)
               return "sender_based acknowledges every packet";
             if (inputs.profile->tcp.framing.acknowledged.count() > 0) return "'framing.acknowledged' takes its place";
             return std::nullopt;
           }},
      Rule{"profile", "^transport.window", of_rdma},
      Rule{"profile", "^transport.initial_window", of_tcp},
      Rule{"profile", "^transport.receive_window", of_tcp},
      Rule{"profile", "^transport.slow_start_after_idle", of_tcp},
      Rule{"profile", "^transport.burst_segments", of_tcp},
      Rule{"profile", "^transport.target_delay", of_sender_based},
      Rule{"profile", "^transport.*", of_packets},
      Rule{"profile", "tcp.framing.acknowledgement",
           [](const Inputs& inputs) -> Reason {
             if (has_packets(inputs)) return std::nullopt;
             if (inputs.profile->tcp.framing.acknowledged.count() > 0) return std::nullopt;
             return "without 'acknowledged' acknowledgements cost nothing";
           }},
      Rule{"profile", "tcp.framing.acknowledged",
           [](const Inputs& inputs) -> Reason {
             const TransportProfile& tcp = inputs.profile->tcp;
             // Answers wait for packets of that size.
             if (tcp.framing.acknowledgement.count() > 0 || (tcp.eager_threshold && tcp.ordered)) return std::nullopt;
             return "an 'acknowledgement' of no bytes costs nothing";
           }},
  };
  return rules;
}

bool matches(const Rule& rule, const std::string& path) {
  if (rule.key.front() == '^') {
    std::string_view whole = rule.key.substr(1);
    if (!whole.ends_with('*')) return path == whole;
    whole.remove_suffix(1);
    return path.starts_with(whole);
  }
  // A key of a fault is no key of the link that it hits.
  if (path.starts_with("faults.")) return false;
  return path == rule.key || (path.ends_with(rule.key) && path[path.size() - rule.key.size() - 1] == '.');
}

void collect(std::string_view file, const std::vector<config::GivenKey>& given, const Inputs& inputs,
             std::vector<std::string>& sentences, bool faults_alone) {
  bool faults_named = false;
  for (const auto& key : given) {
    if (key.neutral || (faults_alone && !key.path.starts_with("faults."))) continue;
    for (const Rule& rule : rules()) {
      if (rule.file != file || (rule.only_by_setting && !key.by_setting) || !matches(rule, key.path)) continue;
      const auto reason = rule.idle(inputs);
      if (!reason) continue;
      // One word for all keys of all faults.
      const bool fault = rule.key == all_faults;
      if (fault && std::exchange(faults_named, true)) break;
      if (key.by_setting)
        sentences.push_back(fmt::format("{}: has no effect: {}", key.position.text(), *reason));
      else
        sentences.push_back(fmt::format("{}: '{}' has no effect: {}", key.position.text(),
                                        fault ? std::string("faults") : key.path, *reason));
      break;
    }
  }
}

}  // namespace

std::vector<std::string> idle_keys(const Inputs& inputs) {
  std::vector<std::string> sentences;
  collect("topology", inputs.topology->given, inputs, sentences, false);
  collect("workload", inputs.workload->given, inputs, sentences, false);
  collect("profile", inputs.profile->given, inputs, sentences, false);
  return sentences;
}

std::vector<std::string> idle_faults(const Inputs& inputs) {
  std::vector<std::string> sentences;
  collect("topology", inputs.topology->given, inputs, sentences, true);
  collect("workload", inputs.workload->given, inputs, sentences, true);
  return sentences;
}

}  // namespace lockstep::sim

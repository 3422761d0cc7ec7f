#include "sim/network/packet/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "core/base/error.hpp"
#include "sim/network/packet/rdma.hpp"
#include "sim/network/packet/sender_based.hpp"
#include "sim/network/packet/tcp.hpp"

namespace lockstep::sim::packet {
namespace {

bool any_link(const Topology& topology, LinkKind kind) {
  return std::any_of(topology.links.begin(), topology.links.end(),
                     [kind](const Link& link) { return link.kind == kind; });
}

Frames frames_of(const Topology& topology, const Framing& framing) {
  Bytes mtu{0};
  for (const Link& link : topology.links)
    if (!topology.inside_a_node(link)) mtu = mtu.count() == 0 ? link.mtu : std::min(mtu, link.mtu);
  if (mtu.count() == 0)
    for (const Link& link : topology.links) mtu = mtu.count() == 0 ? link.mtu : std::min(mtu, link.mtu);
  if (framing.packet_header >= mtu)
    throw InputError(fmt::format("an MTU of {} bytes leaves no room for payload behind headers of {} bytes",
                                 mtu.count(), framing.packet_header.count()));
  Frames frames;
  frames.payload = static_cast<std::uint32_t>((mtu - framing.packet_header).count());
  frames.overhead = static_cast<std::uint32_t>((framing.packet_header + framing.frame_header).count());
  frames.acknowledgement = static_cast<std::uint32_t>(framing.acknowledgement.count());
  frames.acknowledged = static_cast<std::uint32_t>(framing.acknowledged.count());
  return frames;
}

// The hosts' TCP as the topology has it, before what the profile says.
void set_as_hosts(Transport::Settings& settings, const HostTcp& hosts) {
  auto& transport = settings.transport;
  if (hosts.congestion_control) transport.congestion_control = hosts.congestion_control;
  if (hosts.initial_window) transport.initial_window = *hosts.initial_window;
  if (hosts.slow_start_after_idle) transport.slow_start_after_idle = *hosts.slow_start_after_idle;
  if (hosts.output_limit) settings.host_queue = hosts.output_limit->count();
  if (hosts.send_buffer) settings.send_buffer = hosts.send_buffer->count();
  if (hosts.largest_packet) {
    transport.burst_segments = std::max<std::int64_t>(1, hosts.largest_packet->count() / settings.frames.payload);
    // The lab's hosts answer every packet of segmentation offload at once (quickack).
    if (settings.frames.acknowledgement > 0) settings.frames.acknowledged = 1;
  }
  if (hosts.receive_buffer) transport.receive_window = Tcp::window_of(*hosts.receive_buffer, settings);
}

}  // namespace

Transport::Settings transport_settings(const Topology& topology, RoutingMode routing, const Profile& profile) {
  Transport::Settings settings;
  settings.transport = profile.transport;
  auto& transport = settings.transport;
  if (!transport.kind)
    transport.kind = profile.backend == "tcp" || profile.backend == "lab" ? TransportKind::tcp : TransportKind::rdma;
  if (!transport.congestion_control) {
    transport.congestion_control =
        transport.kind == TransportKind::tcp ? CongestionControl::cubic : CongestionControl::none;
  } else if (const auto wrong = misfit(*transport.kind, *transport.congestion_control)) {
    // The reader knows no defaults of kinds.
    throw InputError(fmt::format("profile '{}': {}", profile.name, *wrong));
  }
  settings.frames = frames_of(topology, profile.tcp.framing);
  settings.send_buffer = profile.tcp.send_buffer ? profile.tcp.send_buffer->count() : 0;
  if (transport.kind == TransportKind::tcp) set_as_hosts(settings, topology.tcp);
  settings.routing = routing;
  return settings;
}

bool remembers(const Transport::Settings& settings) {
  return settings.transport.kind == TransportKind::tcp &&
         settings.transport.congestion_control != CongestionControl::none;
}

std::string unsteady(const Topology& topology, const Profile& profile) {
  const Transport::Settings settings = transport_settings(topology, topology.routing.mode, profile);
  if (*settings.transport.kind != TransportKind::rdma)
    return fmt::format("{} remembers what became of earlier packets", to_string(*settings.transport.kind));
  if (settings.transport.congestion_control == CongestionControl::dcqcn) return "DCQCN goes on to change rates";
  if (switching_of(topology, settings).flow_control == FlowControl::none) return "full switches drop packets";
  for (const Link& link : topology.links) {
    if (link.loss > 0) return "links lose packets";
    if (link.burst) return "token buckets run empty";
  }
  return {};
}

bool are_packets(const Topology& topology, std::span<const LinkId> links) {
  const auto& names = topology.switching.packets;
  return std::any_of(links.begin(), links.end(), [&](LinkId link) {
    if (names.empty()) return !topology.inside_a_node(topology.links[link]);
    const std::string& to = topology.devices[topology.links[link].to].name;
    return std::any_of(names.begin(), names.end(), [&to](const NameInFile& name) { return name.text == to; });
  });
}

Switching switching_of(const Topology& topology, const Transport::Settings& settings) {
  Switching switching = topology.switching;
  if (switching.flow_control) return switching;
  if (settings.transport.kind == TransportKind::tcp || switching.trimming)
    switching.flow_control = FlowControl::none;
  else if (any_link(topology, LinkKind::infiniband) || any_link(topology, LinkKind::slingshot))
    switching.flow_control = FlowControl::credits;
  else
    switching.flow_control = FlowControl::pfc;
  return switching;
}

namespace {

// What could never carry anything.
void check_room(const Topology& topology, const Switching& switching, std::int64_t packet) {
  const std::string of_packet = fmt::format("{}B", packet);
  if (switching.flow_control == FlowControl::credits && switching.credit_buffer &&
      switching.credit_buffer->count() < 2 * packet)
    throw InputError(fmt::format("switching.credit_buffer: {} do not hold two packets of {}",
                                 format_bytes(*switching.credit_buffer), of_packet));
  if (switching.flow_control == FlowControl::none)
    for (const Link& link : topology.links)
      if (link.queue && link.queue->count() < packet && !topology.inside_a_node(link))
        throw InputError(fmt::format("the queue of the link from {} to {}, {}, never holds a packet of {}",
                                     topology.devices[link.from].name, topology.devices[link.to].name,
                                     format_bytes(*link.queue), of_packet));
  if (switching.flow_control != FlowControl::credits && switching.buffer.count() < packet &&
      (switching.flow_control == FlowControl::none || (switching.headroom && switching.headroom->count() < packet)))
    throw InputError(
        switching.flow_control == FlowControl::none
            ? fmt::format("switching.buffer: {} do not hold a packet of {}", format_bytes(switching.buffer), of_packet)
            : fmt::format("switching: neither the buffer, {}, nor the headroom, {}, holds a packet of {}",
                          format_bytes(switching.buffer), format_bytes(*switching.headroom), of_packet));
}

}  // namespace

std::unique_ptr<Transport> make_transport(const Topology& topology, RoutingMode routing, const Profile& profile,
                                          std::uint64_t seed) {
  const auto settings = transport_settings(topology, routing, profile);
  const auto switching = switching_of(topology, settings);
  if (switching.trimming && settings.transport.kind != TransportKind::sender_based)
    throw InputError(
        fmt::format("switching.trimming: transport '{}' makes nothing of trimmed packets; sender_based does",
                    to_string(*settings.transport.kind)));
  check_room(topology, switching, Transport::largest_packet(settings));
  switch (*settings.transport.kind) {
    case TransportKind::tcp:
      return std::make_unique<Tcp>(topology, switching, settings, seed);
    case TransportKind::sender_based:
      return std::make_unique<SenderBased>(topology, switching, settings, seed);
    case TransportKind::rdma:
      break;
  }
  return std::make_unique<Rdma>(topology, switching, settings, seed);
}

}  // namespace lockstep::sim::packet

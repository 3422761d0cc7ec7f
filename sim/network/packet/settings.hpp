// What fidelity packet makes of a topology and a profile where they leave things open.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "sim/network/packet/transport.hpp"

namespace lockstep::sim::packet {

/// Transport: as given; else tcp for profiles measured with sockets (backends tcp and lab), else rdma. Congestion
/// control: cubic for tcp, else none: lossless fabrics for training are run without (Gangidi et al., "RDMA over
/// Ethernet for Distributed AI Training at Meta Scale", SIGCOMM 2024), since DCQCN cuts rates for milliseconds after
/// each collision. Frames: those of the profile's framing and of the smallest MTU of the links between devices of a
/// network. Throws InputError if they leave no room for payload.
Transport::Settings transport_settings(const Topology& topology, RoutingMode routing, const Profile& profile);

/// Whether connections are not the same after a transfer as before it: TCP's windows.
bool remembers(const Transport::Settings& settings);

/// Whether fidelity mixed has a message over these links in packets: one of them leads to a switch that
/// `switching.packets` names, or where it names none, from one machine to another.
bool are_packets(const Topology& topology, std::span<const LinkId> links);

/// Flow control: as given; else none under tcp and where packets are trimmed, credits where a link is infiniband or
/// slingshot, pfc otherwise.
Switching switching_of(const Topology& topology, const Transport::Settings& settings);

/// Why equal steps need not go on to take equally long: something may change that recent steps do not show. Empty:
/// nothing is known to.
std::string unsteady(const Topology& topology, const Profile& profile);

/// The transport that both say.
std::unique_ptr<Transport> make_transport(const Topology& topology, RoutingMode routing, const Profile& profile,
                                          std::uint64_t seed);

}  // namespace lockstep::sim::packet

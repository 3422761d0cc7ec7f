// What runs on the processors: bare verbs (as perftest), MPI over UCX over InfiniBand or RoCE, MPI over UCX over TCP
// (as the OSU micro-benchmarks). Constants belong to the layer, whatever the NIC, the network and the table.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep::sim::rdma {

enum class Layer : std::uint8_t { verbs, ucx, ucx_tcp };

struct Software {
  Layer layer = Layer::verbs;
  std::string name;
  std::string description;

  // Every layer over verbs.
  Duration post{0};        ///< a work request written
  Duration post_block{0};  ///< and for each further 64 bytes of it
  Duration doorbell{0};    ///< processor time of the write to the NIC
  Duration poll{0};        ///< a completion found

  // UCX and MPI.
  Duration send{0};           ///< of a message: MPI, matching, UCX
  Duration receive{0};        ///< the same at the receiver
  Bytes header;               ///< of UCX, before the payload
  Bytes in_completion;        ///< so much arrives inside the completion
  Duration beside{0};         ///< else: the receiver touches the buffer too
  Bytes short_up_to;          ///< inside the work request
  Bytes segment;              ///< of an eager message; a longer one is several
  Bandwidth copy;             ///< between the user's buffer and UCX's
  Duration several{0};        ///< an eager message of several segments: request and reassembly, each end
  Duration next_segment{0};   ///< every further one, receiver
  Bytes rendezvous;           ///< from here on, of sends that do not block (MPI_Isend)
  Bytes rendezvous_blocking;  ///< of sends that do (MPI_Send)
  Duration rendezvous_send{0};
  Duration rendezvous_receive{0};
  Duration cached{0};  ///< a registration that is found in the cache

  // TCP.
  Duration wake_up{0};  ///< an interrupt, and the thread that polls the socket
  Bytes packet;         ///< payload of a packet at the usual MTU of 1500
  Bytes tcp_window;     ///< bytes that may be unacknowledged
};

std::span<const Software> software_catalogue();
const Software& software_of(Layer layer);

/// Memory registered anew: 16 us + 0.06 ns a byte. Source: UCX, `uct/ib/base/ib_md.c`.
Duration registration_time(Bytes bytes);

}  // namespace lockstep::sim::rdma

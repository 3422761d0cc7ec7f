#include "sim/rdma/software.hpp"

#include <vector>

#include "core/base/error.hpp"

namespace lockstep::sim::rdma {
namespace {

Software verbs() {
  Software verbs;
  verbs.layer = Layer::verbs;
  verbs.name = "verbs";
  verbs.description = "bare verbs, as perftest";
  // UCX's performance model of verbs: 5 ns to allocate, 75 to post, 40 for the doorbell, 20 to poll.
  verbs.post = nanoseconds(80);
  verbs.post_block = nanoseconds(15);
  verbs.doorbell = nanoseconds(40);
  verbs.poll = nanoseconds(20);
  return verbs;
}

Software ucx() {
  Software ucx = verbs();
  ucx.layer = Layer::ucx;
  ucx.name = "ucx";
  ucx.description = "MPI over UCX over verbs, as the OSU micro-benchmarks (rdma_send)";
  // UCX's performance model of its own driver of these NICs: 40 ns to post.
  ucx.post = nanoseconds(40);
  // Fitted on osu_bw and osu_latency of small messages: 253 ns a message, 1.61 us.
  ucx.send = nanoseconds(120);
  ucx.receive = nanoseconds(110);
  ucx.header = 16_B;
  // 32 bytes of a message arrive in its completion; fitted on 16 B against 32 B.
  ucx.in_completion = 32_B;
  ucx.beside = nanoseconds(140);
  ucx.short_up_to = 188_B;
  ucx.segment = 8_KiB;
  // Fitted on osu_bw from 512 B to 8 KiB.
  ucx.copy = Bandwidth::bytes_per_second(22'000'000'000);
  // Fitted on osu_latency from 16 to 128 KiB.
  ucx.several = nanoseconds(400);
  ucx.next_segment = nanoseconds(220);
  // UCX_RNDV_SEND_NBR_THRESH is 256 KiB; where MPI_Isend changes, UCX finds by its model: fitted on osu_bw.
  ucx.rendezvous = 16_KiB;
  ucx.rendezvous_blocking = 256_KiB;
  // Fitted on osu_bw from 16 KiB and osu_latency from 256 KiB.
  ucx.rendezvous_send = nanoseconds(200);
  ucx.rendezvous_receive = nanoseconds(550);
  ucx.cached = nanoseconds(50);
  return ucx;
}

Software ucx_tcp() {
  Software tcp = ucx();
  tcp.layer = Layer::ucx_tcp;
  tcp.name = "ucx_tcp";
  tcp.description = "MPI over UCX over TCP, as the OSU micro-benchmarks (rdma_send)";
  tcp.post = Duration{0};
  tcp.doorbell = Duration{0};
  // A system call with the way through the kernel's TCP, and back: estimates. The latency of the (virtual) NIC is the
  // topology's.
  tcp.send = nanoseconds(3'000);
  tcp.receive = nanoseconds(5'000);
  tcp.wake_up = nanoseconds(18'500);  // fitted on osu_latency over Azure's Ethernet: 2 KiB, 16 KiB
  tcp.packet = 1448_B;
  tcp.rendezvous = 64_KiB;
  tcp.rendezvous_blocking = 64_KiB;
  tcp.tcp_window = 128_KiB;
  return tcp;
}

}  // namespace

std::span<const Software> software_catalogue() {
  static const std::vector<Software> catalogue{verbs(), ucx(), ucx_tcp()};
  return catalogue;
}

const Software& software_of(Layer layer) {
  for (const auto& software : software_catalogue())
    if (software.layer == layer) return software;
  broken_invariant(__FILE__, __LINE__, "layer", "a layer without an entry in the catalogue");
}

Duration registration_time(Bytes bytes) { return microseconds(16) + picoseconds(60) * bytes.count(); }

}  // namespace lockstep::sim::rdma

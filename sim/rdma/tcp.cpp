#include "sim/rdma/tcp.hpp"

#include <algorithm>

#include "core/base/error.hpp"

namespace lockstep::sim::rdma {
namespace {

// Around the payload of a packet: preamble, Ethernet, IPv4 and TCP with its timestamps, FCS, gap.
constexpr Bytes frame{8 + 14 + 20 + 32 + 4 + 12};

Duration on_wire(const Path& path, const Software& software, Bytes bytes) {
  return transfer_time(bytes + frame * packets_of(bytes, software.packet), path.line);
}

Duration round_trip(const Path& path, const Software& software) {
  return 2 * (software.send + path.latency + software.receive + software.poll);
}

/// A full window: sent, copied out, acknowledged.
Duration window_time(const Path& path, const Software& software) {
  return std::max(round_trip(path, software) + transfer_time(software.tcp_window, software.copy),
                  on_wire(path, software, software.tcp_window));
}

}  // namespace

Breakdown tcp_latency(const Path& path, const Software& software, const MpiTest& test) {
  LOCKSTEP_CHECK(path.ethernet, "TCP over a path that is no Ethernet");
  const std::int64_t windows = packets_of(test.size, software.tcp_window);
  const Bytes rest = test.size - software.tcp_window * (windows - 1);  // what the last window holds
  const Duration copying = transfer_time(rest, software.copy);
  Clock clock;
  clock.spend(Stage::software_send, software.send);
  if (test.size >= software.rendezvous_blocking) clock.spend(Stage::rendezvous, round_trip(path, software));
  clock.spend(Stage::window, window_time(path, software) * (windows - 1));
  clock.spend(Stage::copy_in, copying);
  clock.spend(Stage::wire, on_wire(path, software, rest + software.header));
  clock.spend(Stage::network, path.latency);
  if (test.size + software.header > software.packet) clock.spend(Stage::wake_up, software.wake_up);
  if (test.size > software.segment) clock.spend(Stage::wake_up, software.wake_up);
  clock.spend(Stage::poll, software.poll);
  clock.spend(Stage::software_receive, software.receive);
  clock.spend(Stage::copy_out, copying);
  return clock.parts();
}

Throughput tcp_throughput(const Path& path, const Software& software, const MpiTest& test, std::int64_t iterations) {
  LOCKSTEP_CHECK(path.ethernet, "TCP over a path that is no Ethernet");
  const Bytes bytes = test.size + software.header;
  const Duration round = round_trip(path, software);
  const Duration wire = on_wire(path, software, bytes);
  const Duration sending = software.send + transfer_time(test.size, software.copy);
  const Duration receiving = software.receive + transfer_time(test.size, software.copy);
  const Duration window = Duration{static_cast<std::int64_t>(
      static_cast<__int128>(window_time(path, software).count()) * bytes.count() / software.tcp_window.count())};
  Throughput result;
  result.iterations = iterations;
  result.per_message = wire;
  result.limit = Stage::wire;
  const auto weigh = [&](Stage stage, Duration time) {
    if (time <= result.per_message) return;
    result.per_message = time;
    result.limit = stage;
  };
  weigh(Stage::software_send, sending);
  weigh(Stage::software_receive, receiving);
  weigh(Stage::window, window);
  // The answer that ends a window of messages, and the first message of the next.
  result.per_message += round / test.window;
  result.total = result.per_message * iterations;
  return result;
}

}  // namespace lockstep::sim::rdma

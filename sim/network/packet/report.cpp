#include "sim/network/packet/report.hpp"

#include <algorithm>
#include <string>

namespace lockstep::sim::packet {

namespace {

double seconds(std::int64_t picoseconds) { return static_cast<double>(picoseconds) * 1e-12; }

config::Json over_time(const Series& series, const Link& link) {
  auto queue = config::Json::array(), utilisation = config::Json::array();
  for (const auto& interval : series.intervals()) {
    queue.push_back(interval.largest_queue);
    utilisation.push_back(static_cast<double>(interval.sent) /
                          (link.bandwidth.bytes_per_second() * seconds(series.length())));
  }
  return {{"interval_s", seconds(series.length())}, {"largest_queue_bytes", queue}, {"utilisation", utilisation}};
}

}  // namespace

config::Json report(const Topology& topology, const Transport& transport, std::int64_t end) {
  const Fabric& fabric = transport.fabric();
  PortStatistics sum;
  auto links = config::Json::array();
  for (PortId id = 0; id < fabric.port_count(); ++id) {
    const PortStatistics port = fabric.statistics(id);
    if (port.packets == 0 && port.drops == 0) continue;
    sum.packets += port.packets;
    sum.bytes += port.bytes;
    sum.marks += port.marks;
    sum.drops += port.drops;
    sum.trims += port.trims;
    sum.lost += port.lost;
    sum.pauses += port.pauses;
    sum.paused += port.paused;
    sum.largest_queue = std::max(sum.largest_queue, port.largest_queue);
    const Link& link = topology.links[id];
    const double capacity = link.bandwidth.bytes_per_second() * seconds(end);
    links.push_back({{"from", topology.devices[link.from].name},
                     {"to", topology.devices[link.to].name},
                     {"packets", port.packets},
                     {"wire_bytes", port.bytes},
                     {"utilisation", capacity > 0 ? static_cast<double>(port.bytes) / capacity : 0.0},
                     {"mean_queue_bytes", end > 0 ? port.queue_time / static_cast<double>(end) : 0.0},
                     {"largest_queue_bytes", port.largest_queue},
                     {"marks", port.marks},
                     {"drops", port.drops},
                     {"trims", port.trims},
                     {"lost", port.lost},
                     {"pauses", port.pauses},
                     {"paused_s", seconds(port.paused)}});
    if (const Series* series = fabric.series(id)) links.back()["over_time"] = over_time(*series, link);
  }
  const TransportStatistics& sent = transport.statistics();
  return {{"packet_hops", fabric.hops()},
          {"packets", sent.packets},
          {"retransmitted", sent.retransmitted},
          {"timeouts", sent.timeouts},
          {"congestion_notifications", sent.notifications},
          {"least_rate_share", sent.least_rate},
          {"marks", sum.marks},
          {"drops", sum.drops},
          {"trims", sum.trims},
          {"lost", sum.lost},
          {"pauses", sum.pauses},
          {"paused_s", seconds(sum.paused)},
          {"largest_queue_bytes", sum.largest_queue},
          {"links", links}};
}

}  // namespace lockstep::sim::packet

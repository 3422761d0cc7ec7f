#include "sim/rdma/channel.hpp"

#include <algorithm>

namespace lockstep::sim::rdma {
namespace {

/// Packets that a NIC reads ahead of the wire: what passes in two round trips of PCIe, so that the wire never waits.
std::size_t read_ahead(Duration round_trip, Duration on_wire) {
  return static_cast<std::size_t>(2 * round_trip.count() / std::max<std::int64_t>(1, on_wire.count())) + 2;
}

}  // namespace

Channel::Channel(const Path& path)
    : processing_(path.nic->processing),
      latency_(path.latency),
      round_trip_(path.from.payload.round_trip()),
      write_latency_(path.to.payload.latency),
      wire_rate_(usable_rate(path.fabric, path.line)),
      read_rate_(path.from.payload.read_rate),
      write_rate_(path.to.payload.rate),
      header_(packet_header(path.fabric)),
      mtu_(path.mtu),
      left_(read_ahead(round_trip_, on_wire(mtu_, Bytes{0}))) {}

Duration Channel::leave(Duration ready, Duration service) {
  const Duration sent = wire_.serve(ready, service);
  left_[oldest_] = sent;
  oldest_ = (oldest_ + 1) % left_.size();
  return sent;
}

Duration Channel::on_wire(Bytes payload, Bytes extension) const {
  return transfer_time(payload + header_ + extension, wire_rate_);
}

Duration Channel::control(Bytes bytes) const {
  return processing_ + transfer_time(bytes + header_, wire_rate_) + latency_ + processing_;
}

Duration Channel::send(Clock& clock, const Transfer& transfer) {
  clock.spend(Stage::nic_send, processing_);
  const std::int64_t packets = packets_of(transfer.bytes, mtu_);
  const Bytes tail = transfer.bytes - mtu_ * (packets - 1);
  std::fill(left_.begin(), left_.end(), Duration{0});
  if (packets > 1) {
    const Duration ready = clock.now();
    const Duration reading = transfer_time(mtu_, read_rate_), writing = transfer_time(mtu_, write_rate_);
    const Duration first = on_wire(mtu_, transfer.extension), next = on_wire(mtu_, Bytes{0});
    for (std::int64_t i = 0; i + 1 < packets; ++i) {
      const Duration read =
          transfer.inlined ? ready : read_.serve(std::max(ready, left_[oldest_]), reading) + round_trip_;
      const Duration sent = leave(read, i == 0 ? first : next);
      write_.serve(sent + latency_ + processing_, writing);
    }
  }
  if (!transfer.inlined && transfer.bytes.count() > 0) {
    clock.until(Stage::wire, std::max(clock.now(), left_[oldest_]));
    clock.until(Stage::payload_read, read_.serve(clock.now(), transfer_time(tail, read_rate_)) + round_trip_);
  }
  clock.until(Stage::wire, leave(clock.now(), on_wire(tail, packets == 1 ? transfer.extension : Bytes{0})));
  clock.spend(Stage::network, latency_);
  clock.spend(Stage::nic_receive, processing_);
  const Duration arrived = clock.now();
  clock.until(Stage::payload_write, write_.serve(arrived, transfer_time(tail, write_rate_)) + write_latency_);
  return arrived;
}

Channel::Busy Channel::busiest() const {
  Busy most{Stage::wire, wire_.busy()};
  if (read_.busy() > most.time) most = {Stage::payload_read, read_.busy()};
  if (write_.busy() > most.time) most = {Stage::payload_write, write_.busy()};
  return most;
}

}  // namespace lockstep::sim::rdma

#include "sim/rdma/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/profile/message_cost.hpp"

namespace lockstep::sim::rdma {
namespace {

constexpr Bytes last{4 << 20};
constexpr Bytes longest{1 << 30};
constexpr std::int64_t streamed = 2000;  // messages

// Of the wire's bytes as many are headers as RDMA's packets have, whatever the links could take.
Framing framing_of(const Path& path) {
  const Bytes header = packet_header(path.fabric);
  Framing framing;
  if (path.link_mtu == path.mtu) {
    framing.frame_header = header;
    return framing;
  }
  const std::int64_t packet = (path.mtu + header).count();
  framing.packet_header = Bytes{(path.link_mtu.count() * header.count() + packet - 1) / packet};
  return framing;
}

// Eight to a power of two, and where the way of a message changes.
std::vector<Bytes> interval_ends(const Path& path, const Software& software) {
  std::vector<Bytes> ends;
  const auto add = [&](std::int64_t size) {
    if (size >= 8 && size <= last.count()) ends.emplace_back(size);
  };
  for (std::int64_t base = 8; base <= last.count(); base *= 2)
    for (int k = 0; k < 8; ++k) add(base + k * (base / 8));
  add(path.nic->max_inline.count());
  for (const Bytes bound : {software.in_completion, software.short_up_to, software.segment, software.rendezvous,
                            software.rendezvous_blocking}) {
    add(bound.count() - 1);
    add(bound.count());
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  return ends;
}

// From the last interval's end on, by what a byte has cost more since half of it.
void add_straight_lines(std::vector<MessageCost>& costs) {
  const MessageCost whole = costs.back();
  const Bytes end = *whole.up_to;
  const auto half =
      std::find_if(costs.begin(), costs.end(), [&](const MessageCost& cost) { return *cost.up_to == end / 2; });
  const auto line = [&](Duration MessageCost::*part, Bytes size) {
    const auto slope =
        static_cast<double>((whole.*part - (*half).*part).count()) / static_cast<double>((*half->up_to).count());
    const double more = std::max(0.0, slope) * static_cast<double>((size - end).count());
    return whole.*part + Duration{static_cast<std::int64_t>(more)};
  };
  std::vector<MessageCost> further;
  for (std::int64_t base = end.count(); base < longest.count(); base *= 2)
    for (int k = 1; k <= 8; ++k) {
      MessageCost cost;
      cost.up_to = Bytes{base + k * (base / 8)};
      cost.overhead = line(&MessageCost::overhead, *cost.up_to);
      cost.receive_overhead = line(&MessageCost::receive_overhead, *cost.up_to);
      cost.latency = line(&MessageCost::latency, *cost.up_to);
      further.push_back(cost);
    }
  costs.insert(costs.end(), further.begin(), further.end());
}

}  // namespace

Profile profile_of(const Path& path, const FlowRoute& route, const Software& software,
                   const std::function<VerbsTest(Bytes size, bool lone)>& test_of) {
  Profile profile = ideal_profile();
  profile.name = fmt::format("{}-{}", software.name, path.nic->name);
  profile.tcp.ordered = true;
  profile.tcp.framing = framing_of(path);
  const double share = MessageCosts(profile.tcp).payload_share(path.link_mtu);
  const Bandwidth streaming = Bandwidth::bytes_per_second(
      static_cast<std::int64_t>(static_cast<double>(last.count()) *
                                throughput(path, software, test_of(last, false), streamed).peak_messages_per_s()));
  const double rate = std::min(route.bandwidth.bytes_per_second() * share, streaming.bytes_per_second());

  for (const Bytes size : interval_ends(path, software)) {
    const Breakdown parts = latency(path, software, test_of(size, true));
    MessageCost cost;
    cost.up_to = size;
    for (const Stage stage : {Stage::software_send, Stage::registration, Stage::copy_in, Stage::post, Stage::doorbell})
      cost.overhead += parts[stage];
    for (const Stage stage : {Stage::poll, Stage::software_receive, Stage::copy_out})
      cost.receive_overhead += parts[stage];
    const auto wire = Duration{static_cast<std::int64_t>(static_cast<double>(size.count()) / rate * 1e12)};
    const Duration rest = std::max(Duration{0}, parts.total() - route.latency - wire);
    if (const Duration busy = cost.overhead + cost.receive_overhead; busy > rest) {
      // Software and wire work at once, on different segments: what is hidden behind the wire is left out.
      const auto shown = static_cast<double>(rest.count()) / static_cast<double>(busy.count());
      cost.overhead = Duration{static_cast<std::int64_t>(static_cast<double>(cost.overhead.count()) * shown)};
      cost.receive_overhead = rest - cost.overhead;
    }
    cost.latency = rest - cost.overhead - cost.receive_overhead;
    profile.tcp.messages.push_back(cost);
  }
  add_straight_lines(profile.tcp.messages);
  MessageCost open = profile.tcp.messages.back();
  open.up_to.reset();
  open.send_bandwidth = streaming;
  profile.tcp.messages.push_back(open);
  return profile;
}

}  // namespace lockstep::sim::rdma

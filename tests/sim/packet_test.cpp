// The network of packets alone: closed forms of links and queues, pauses, credits, losses, marks, shares.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <memory>
#include <tuple>

#include "core/base/error.hpp"
#include "core/faults/draws.hpp"
#include "sim/network/packet/rdma.hpp"
#include "sim/network/packet/sender_based.hpp"
#include "sim/network/packet/settings.hpp"
#include "sim/network/packet/tcp.hpp"
#include "tests/core/messages.hpp"
#include "tests/sim/networks.hpp"

namespace lockstep::test {
namespace {

using namespace sim::packet;

constexpr std::int64_t microsecond = 1'000'000;
constexpr std::int64_t millisecond = 1000 * microsecond;

Topology read(const std::string& yaml) { return read_topology(config::parse_text(yaml, "t.yaml"), "t.yaml"); }

Profile profile_with(const std::string& transport) {
  return read_profile(config::parse_text("name: p\ntcp: {framing: {frame_header: 98B, acknowledgement: 64B}}\n"
                                         "transport: {" +
                                             transport + "}\n",
                                         "p.yaml"),
                      "p.yaml");
}

// Connections over a topology, driven by hand.
struct Network {
  Network(const Topology& over, const Profile& profile, std::uint64_t seed = 1)
      : topology(over), routing(over, {seed}), transport(make_transport(over, over.routing.mode, profile, seed)) {}
  ConnectionId connect(int from, int to, std::uint64_t label = 0) {
    return transport->connect(routing, topology.endpoint(from), topology.endpoint(to), label, 0);
  }
  void send(ConnectionId connection, std::uint64_t bytes, std::uint32_t tag, std::int64_t at = 0) {
    transport->send(connection, bytes, tag, at);
  }
  void run_until(std::int64_t limit) {
    while (transport->next_time() <= limit) {
      const std::int64_t now = transport->run(limit);
      take(now);
    }
  }
  void run() {
    while (!transport->idle() && transport->next_time() != Fabric::never) {
      const std::int64_t now = transport->run(Fabric::never - 1);
      take(now);
    }
    ASSERT_TRUE(transport->idle());
  }
  void take(std::int64_t now) {
    for (const auto& notice : transport->notices()) (notice.delivered ? delivered : accepted)[notice.tag] = now;
    notices += transport->notices().size();
    transport->notices().clear();
  }
  [[nodiscard]] PortStatistics total() const {
    PortStatistics sum;
    for (PortId port = 0; port < transport->fabric().port_count(); ++port) {
      const PortStatistics one = transport->fabric().statistics(port);
      sum.drops += one.drops;
      sum.pauses += one.pauses;
      sum.marks += one.marks;
      sum.lost += one.lost;
      sum.trims += one.trims;
      sum.largest_queue = std::max(sum.largest_queue, one.largest_queue);
    }
    return sum;
  }
  [[nodiscard]] PortStatistics between(const std::string& from, const std::string& to) const {
    for (LinkId link = 0; link < topology.links.size(); ++link)
      if (topology.devices[topology.links[link].from].name == from &&
          topology.devices[topology.links[link].to].name == to)
        return transport->fabric().statistics(link);
    ADD_FAILURE() << "no link from " << from << " to " << to;
    return {};
  }

  const Topology& topology;
  Routing routing;
  std::unique_ptr<Transport> transport;
  std::map<std::uint32_t, std::int64_t> delivered, accepted;
  std::size_t notices = 0;
};

std::string star_of(int hosts, const std::string& link, const std::string& more = "") {
  return fmt::format("generate: {{star: {{hosts: {}, link: {{{}}}}}}}\n{}", hosts, link, more);
}

std::string two_leaves(const std::string& mode, const std::string& rate = "100Gbps") {
  return fmt::format(
      "generate: {{leaf_spine: {{hosts: 8, leaves: 2, spines: 4, link: {{bandwidth: {}, latency: 500ns, mtu: "
      "4096B}}}}}}\nrouting: {{mode: {}}}\n",
      rate, mode);
}

// --- A message ---

TEST(Packet, AMessageTakesItsBytesAndTheStoringOfItsFirstPacket) {
  // 10 packets of 4096 B at 100 Gbit/s: 327.68 ns each; two links of 500 ns.
  const Topology topology = read(star_of(2, "bandwidth: 100Gbps, latency: 500ns, mtu: 4096B"));
  Network network(topology, ideal_profile());
  network.send(network.connect(0, 1), 40960, 7);
  network.run();
  EXPECT_EQ(network.delivered[7], 2 * 500'000 + 11 * 327'680);
  EXPECT_EQ(network.accepted[7], 10 * 327'680);
}

TEST(Packet, HeadersTakeTheirShare) {
  const Topology topology = read(star_of(2, "bandwidth: 100Gbps, latency: 500ns, mtu: 4096B"));
  Network network(topology, profile_with(""));
  network.send(network.connect(0, 1), 4096 * 100, 1);
  network.run();
  EXPECT_EQ(network.delivered[1], 2 * 500'000 + 101 * (4096 + 98) * 80);
}

TEST(Packet, MessagesOfAConnectionFollowEachOther) {
  const Topology topology = read(star_of(2, "bandwidth: 100Gbps, latency: 500ns, mtu: 4096B"));
  Network network(topology, ideal_profile());
  const auto connection = network.connect(0, 1);
  network.send(connection, 100, 1);
  network.send(connection, 5000, 2);  // two packets of its own
  network.run();
  EXPECT_EQ(network.delivered[1], 1'000'000 + 2 * 8'000);
  EXPECT_EQ(network.delivered[2], 1'000'000 + (100 + 4096 + 4096 + 904) * 80);  // the large one is stored as a whole
}

TEST(Packet, ATokenBucketLetsItsDepthPassAtOnce) {
  // tbf of 1 Gbit/s and 16 KiB, no latency: 64 KiB take what 48 KiB take.
  const Topology topology = read(star_of(2, "bandwidth: 1Gbps, latency: 0s, burst: 16384B, mtu: 1024B"));
  Network network(topology, ideal_profile());
  network.send(network.connect(0, 1), 65536, 1);
  network.run();
  EXPECT_EQ(network.delivered[1], (65536 - 16384) * 8000);
}

// --- Queues ---

// Waiting of M/D/1: rho / (2 (1 - rho)) services. Poisson messages of one packet at a host.
class WaitingTest : public testing::TestWithParam<int> {};
TEST_P(WaitingTest, IsThatOfMD1) {
  const double load = GetParam() / 100.0;
  const Topology topology = read(star_of(2, "bandwidth: 10Gbps, latency: 1us, mtu: 1000B"));
  const double service = 1000 * 800;
  double sum = 0;
  int counted = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Network network(topology, ideal_profile(), seed);
    const auto connection = network.connect(0, 1);
    Draws draws(seed);
    const int messages = load > 0.9 ? 200'000 : 50'000;
    std::vector<std::int64_t> sent;
    double time = 0;
    for (int i = 0; i < messages; ++i) {
      time += draws.exponential() * service / load;
      sent.push_back(static_cast<std::int64_t>(time));
      network.run_until(sent.back());
      network.send(connection, 1000, static_cast<std::uint32_t>(i), sent.back());
    }
    network.run();
    for (int i = messages / 10; i < messages; ++i) {
      sum += static_cast<double>(network.delivered[static_cast<std::uint32_t>(i)] - sent[static_cast<std::size_t>(i)]) -
             2 * service - 2e6;
      ++counted;
    }
  }
  const double waiting = load / (2 * (1 - load)) * service;
  EXPECT_NEAR(sum / counted, waiting, 0.05 * waiting);
}
INSTANTIATE_TEST_SUITE_P(Loads, WaitingTest, testing::Values(50, 80, 95));

// --- PFC ---

// Many to one over a switch that pauses early: nothing is lost, and the last byte comes when the link has carried all.
std::string incast(int senders, const std::string& switching) {
  return star_of(senders + 1, "bandwidth: 100Gbps, latency: 1us, mtu: 4096B, kind: roce",
                 "switching: {flow_control: pfc, " + switching + "}\n");
}

void send_to_last(Network& network, int senders, std::uint64_t bytes) {
  for (int h = 0; h < senders; ++h) network.send(network.connect(h, senders), bytes, static_cast<std::uint32_t>(h));
}

TEST(Pfc, LosesNothingWithItsHeadroom) {
  const Topology topology = read(incast(8, "xoff: 64KiB"));
  Network network(topology, profile_with("congestion_control: none"));
  send_to_last(network, 8, 4 << 20);
  network.run();
  EXPECT_EQ(network.total().drops, 0U);
  EXPECT_GT(network.total().pauses, 8U);
  // The receiver's link never rests: 8 x 4 MiB with headers.
  const double wire = 8.0 * 1024 * (4096 + 98) * 80;
  std::int64_t last = 0;
  for (const auto& [tag, time] : network.delivered) last = std::max(last, time);
  EXPECT_NEAR(static_cast<double>(last), wire, 0.005 * wire);
}

TEST(Pfc, LosesPacketsWithHalfOfIt) {
  // What can come until a pause holds: 2 us of the link, two packets, the pause frame.
  const int headroom = 2 * 12500 + 2 * (4096 + 98) + 84;
  const Topology topology = read(incast(8, fmt::format("xoff: 64KiB, headroom: {}B", headroom / 2)));
  Network network(topology, profile_with("congestion_control: none, timeout: 200us"));
  send_to_last(network, 8, 1 << 20);
  network.run();
  EXPECT_GT(network.total().drops, 0U);
  EXPECT_GT(network.transport->statistics().retransmitted, 0U);
}

TEST(Pfc, PausesSpreadOverTwoHops) {
  // h0..h3 on leaf a, h4 on leaf b behind a slow link; h5 on leaf b too. All traffic for h4 backs up over the link
  // between the leaves to the senders; h3's traffic to h5, which has nothing to do with h4, is held up with it.
  const auto topology = [](const std::string& slow) {
    return read(
        "nodes: [{name: h0}, {name: h1}, {name: h3}, {name: h4}, {name: h5}, {name: a, kind: switch}, {name: b, kind: "
        "switch}]\n"
        "links:\n"
        "  - {between: [h0, a], bandwidth: 100Gbps, latency: 1us, mtu: 4096B, kind: roce}\n"
        "  - {between: [h1, a], bandwidth: 100Gbps, latency: 1us, mtu: 4096B, kind: roce}\n"
        "  - {between: [h3, a], bandwidth: 100Gbps, latency: 1us, mtu: 4096B, kind: roce}\n"
        "  - {between: [a, b], bandwidth: 400Gbps, latency: 1us, mtu: 4096B, kind: roce}\n"
        "  - {between: [h4, b], bandwidth: " +
        slow +
        ", latency: 1us, mtu: 4096B, kind: roce}\n"
        "  - {between: [h5, b], bandwidth: 100Gbps, latency: 1us, mtu: 4096B, kind: roce}\n"
        "switching: {flow_control: pfc, xoff: 64KiB}\n");
  };
  const auto run = [](const Topology& t) {
    Network network(t, profile_with("congestion_control: none"));
    network.send(network.connect(0, 3), 2 << 20, 0);
    network.send(network.connect(1, 3), 2 << 20, 1);
    network.send(network.connect(2, 4), 1 << 20, 2);
    network.run();
    return std::tuple(network.delivered[2], network.between("a", "b").pauses, network.between("h0", "a").pauses,
                      network.between("h3", "a").pauses, network.total().drops);
  };
  const Topology slow = topology("10Gbps"), quick = topology("400Gbps");
  const auto [victim, middle, edge, of_victim, drops] = run(slow);
  EXPECT_GT(middle, 0U);  // first hop back
  EXPECT_GT(edge, 0U);    // second
  EXPECT_GT(of_victim, 0U);
  EXPECT_EQ(drops, 0U);
  const auto [alone, no_middle, no_edge, no_victim, none_dropped] = run(quick);
  EXPECT_EQ(no_middle + no_edge + no_victim + none_dropped, 0U);
  EXPECT_GT(victim, 5 * alone);
}

TEST(Credits, LoseNothingAndKeepTheLinkBusy) {
  const Topology topology = read(star_of(9, "bandwidth: 400Gbps, latency: 300ns, kind: infiniband"));
  Network network(topology, profile_with(""));
  send_to_last(network, 8, 4 << 20);
  network.run();
  EXPECT_EQ(network.total().drops, 0U);
  // Never more than its input buffers in the switch.
  EXPECT_LE(network.between("s0", "h8").largest_queue, 8U * 65536);
  const double wire = 8.0 * 1024 * (4096 + 98) * 20;
  std::int64_t last = 0;
  for (const auto& [tag, time] : network.delivered) last = std::max(last, time);
  EXPECT_NEAR(static_cast<double>(last), wire, 0.005 * wire);
}

TEST(Credits, BoundTheRateByBufferAndRoundTrip) {
  // 64 KiB per 2 x 10 us of link and the returns' grain: far under 100 Gbit/s.
  const Topology topology =
      read(star_of(2, "bandwidth: 100Gbps, latency: 10us, kind: infiniband", "switching: {credit_buffer: 64KiB}\n"));
  Network network(topology, ideal_profile());
  network.send(network.connect(0, 1), 16 << 20, 1);
  network.run();
  const double rate = (16 << 20) / (static_cast<double>(network.delivered[1]) * 1e-12);
  EXPECT_LT(rate, 65536 / 20e-6);
  EXPECT_GT(rate, 0.75 * 65536 / 20e-6);
}

// --- Losses ---

// Goodput of a long message over a link that loses packets at random, as a share of the line's.
double goodput(const std::string& recovery, double loss, std::uint64_t bytes) {
  Topology topology = read(star_of(2, fmt::format("bandwidth: 100Gbps, latency: 2us, mtu: 4096B, loss: {}", loss)));
  for (Link& link : topology.links)
    if (topology.devices[link.from].kind == DeviceKind::network_switch && link.to != 1) link.loss = 0;
  for (Link& link : topology.links)
    if (link.from == 0) link.loss = 0;
  Network network(topology, profile_with("recovery: " + recovery + ", timeout: 100us, acknowledge_every: 1"));
  network.send(network.connect(0, 1), bytes, 1);
  network.run();
  EXPECT_GT(network.total().lost, 0U);
  const double ideal = static_cast<double>(bytes) / 4096 * (4096 + 98) * 80;
  return ideal / static_cast<double>(network.delivered[1]);
}

TEST(Recovery, GoBackNRepeatsAWindowPerLoss) {
  // Per loss all that was sent until the news came is sent again: a round trip, 4 x 2 us and two packets, at line rate
  // is w packets. If the repeated packet is lost too, which nobody asks for again, the timeout of t packets decides:
  // goodput 1 / (1 + p w + p^2 t).
  const double p = 0.0001;
  const double w = (4 * 2e6 + 2 * 4194 * 80 + 64 * 80) / (4194 * 80);
  EXPECT_NEAR(goodput("go_back_n", p, 1 << 30), 1 / (1 + p * w), 0.002);
  const double worse = 0.01;
  const double t = 100e6 / (4194 * 80);
  EXPECT_NEAR(goodput("go_back_n", worse, 64 << 20), 1 / (1 + worse * w + worse * worse * t), 0.03);
}

TEST(Recovery, SelectiveRepeatRepeatsAPacketPerLoss) {
  EXPECT_NEAR(goodput("selective_repeat", 0.0001, 1 << 30), 1 - 0.0001, 0.001);
  EXPECT_NEAR(goodput("selective_repeat", 0.01, 64 << 20), 1 - 0.01, 0.02);
}

TEST(Recovery, GivesUpWhereNothingGetsThrough) {
  const Topology topology = read(star_of(2, "bandwidth: 100Gbps, latency: 2us, loss: 1"));
  for (const char* kind : {"rdma", "tcp", "sender_based"}) {
    Network network(topology, profile_with(fmt::format("kind: {}", kind)));
    network.send(network.connect(0, 1), 1 << 20, 1);
    EXPECT_EQ(message_of<RunFailure>([&] { network.run(); }),
              "a connection of h0 has repeated itself for a minute and heard nothing: a link on its way is down, loses "
              "everything, or is paused for ever");
  }
}

// --- Windows that are full are acknowledged, however seldom the receiver would ---

TEST(Windows, WaitForNoTimeout) {
  const Topology topology = read(star_of(2, "bandwidth: 1Gbps, latency: 50us"));
  for (const char* transport :
       {"kind: tcp, burst_segments: 10", "kind: tcp, burst_segments: 44", "kind: tcp, initial_window: 1",
        "kind: tcp, receive_window: 1kB", "kind: tcp, acknowledge_every: 1000", "kind: rdma, window: 4KiB",
        "kind: rdma, window: 4KiB, acknowledge_every: 1000", "kind: sender_based"}) {
    Network network(topology, profile_with(transport));
    const auto connection = network.connect(0, 1);
    network.send(network.connect(0, 1), 1400, 1);
    network.send(connection, 100, 2);
    network.send(connection, 100, 3);
    network.send(connection, 200'000, 4);
    network.run();
    EXPECT_EQ(network.transport->statistics().timeouts, 0U) << transport;
    EXPECT_EQ(network.transport->statistics().retransmitted, 0U) << transport;
  }
}

TEST(Windows, AreBoundedByTheSendBufferOfASocket) {
  const Topology topology = read(star_of(2, "bandwidth: 1Gbps, latency: 100us"));
  Profile profile = profile_with("kind: tcp, initial_window: 100");
  profile.tcp.send_buffer = Bytes{15000};
  Network network(topology, profile);
  network.send(network.connect(0, 1), 150'000, 1);
  network.run();
  EXPECT_GT(network.delivered[1], 9 * 400 * microsecond);  // ten round trips, but for the last half
}

TEST(Windows, OfASenderFillSlowPaths) {
  const Topology topology = read(two_leaves("ecmp", "1Gbps") + "switching: {trimming: true}\n");
  Network network(topology, profile_with("kind: sender_based"));
  network.send(network.connect(0, 4), 4 << 20, 1);
  network.run();
  EXPECT_LT(static_cast<double>(network.delivered[1]), 1.03 * (4 << 20) / 4096 * 4194 * 8000);
}

// --- Links that come and go ---

TEST(Changes, LeaveNoPortPausedForEver) {
  const Topology topology = read(incast(4, "xoff: 64KiB"));
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Network network(topology, profile_with(""), seed);
    Draws draws(seed);
    send_to_last(network, 4, 1 << 19);
    for (std::int64_t at = 0; at < 400 * microsecond; at += 20 * microsecond) {
      network.run_until(at);
      network.transport->fabric().set_now(at);
      for (PortId port = 0; port < network.transport->fabric().port_count(); ++port) {
        const double shares[] = {0, 0.01, 1};
        network.transport->fabric().set_rate(port, shares[at > 360 * microsecond ? 2 : draws.below(3)] * 100e9);
      }
    }
    network.run();
    EXPECT_EQ(network.delivered.size(), 4U) << seed;
  }
}

TEST(Changes, AdaptiveRoutingAvoidsALinkThatIsDown) {
  const Topology topology = read(two_leaves("adaptive"));
  Network network(topology, profile_with(""));
  const auto connection = network.connect(0, 4);
  for (LinkId link = 0; link < topology.links.size(); ++link)
    if (topology.devices[topology.links[link].from].name == "leaf0" &&
        topology.devices[topology.links[link].to].name == "spine0")
      network.transport->fabric().set_rate(link, 0);
  network.send(connection, 1 << 20, 1);
  network.run();
  EXPECT_EQ(network.transport->statistics().retransmitted, 0U);
}

// --- DCQCN ---

class SharesTest : public testing::TestWithParam<int> {};
TEST_P(SharesTest, AreFairInSteadyState) {
  const int flows = GetParam();
  const Topology topology = read(star_of(flows + 1, "bandwidth: 100Gbps, latency: 1us, mtu: 4096B, kind: roce"));
  Network network(topology, profile_with("congestion_control: dcqcn"));
  std::vector<ConnectionId> connections;
  for (int h = 0; h < flows; ++h) {
    connections.push_back(network.connect(h, flows));
    // They begin one after another, so that the first has to give way.
    network.run_until(h * 100 * microsecond);
    network.send(connections.back(), std::uint64_t{1} << 34, static_cast<std::uint32_t>(h), h * 100 * microsecond);
  }
  const std::int64_t settled = 60 * millisecond, end = 160 * millisecond;
  network.run_until(settled);
  std::vector<std::uint64_t> before;
  for (const auto connection : connections) before.push_back(network.transport->received(connection));
  network.run_until(end);
  double sum = 0;
  std::vector<double> rates;
  for (std::size_t i = 0; i < connections.size(); ++i) {
    rates.push_back(static_cast<double>(network.transport->received(connections[i]) - before[i]));
    sum += rates.back();
  }
  for (const double rate : rates) EXPECT_NEAR(rate, sum / flows, 0.10 * sum / flows);
  // The link is used: payload of 100 Gbit/s in 100 ms.
  EXPECT_GT(sum, 0.85 * 0.1 * 12.5e9 * 4096 / 4194);
  EXPECT_EQ(network.total().drops, 0U);
}
INSTANTIATE_TEST_SUITE_P(Flows, SharesTest, testing::Values(2, 3, 5, 8, 12, 16));

TEST(DcqcnRate, CutsAndRises) {
  Dcqcn settings;
  DcqcnRate rate(settings, 100e9);
  EXPECT_TRUE(rate.at_line_rate());
  EXPECT_TRUE(rate.notified(0));
  EXPECT_DOUBLE_EQ(rate.rate(), 50e9);  // alpha = 1
  EXPECT_DOUBLE_EQ(rate.alpha(), 1);
  rate.time_period_over();  // fast recovery: halfway back
  EXPECT_DOUBLE_EQ(rate.rate(), 75e9);
  for (int i = 0; i < 4; ++i) rate.time_period_over();
  EXPECT_DOUBLE_EQ(rate.rate(), 100e9 - 50e9 / 32);
  rate.time_period_over();  // the target rises by a thousandth of the line, which it has already
  EXPECT_DOUBLE_EQ(rate.rate(), 100e9 - 50e9 / 64);
  rate.alpha_period_over();
  EXPECT_DOUBLE_EQ(rate.alpha(), 1 - 1.0 / 256);
}

// --- What is recorded ---

TEST(Series, HalvesItsResolutionWhenItIsFull) {
  Series series(4);
  series.queue(0, 500'000, 10);
  series.send(500'000, 100);
  series.queue(2'500'000, 3'000'000, 70);
  series.send(3'200'000, 200);
  ASSERT_EQ(series.intervals().size(), 4U);
  EXPECT_EQ(series.length(), microsecond);
  series.queue(3'200'000, 5'000'000, 30);
  EXPECT_EQ(series.length(), 2 * microsecond);
  ASSERT_EQ(series.intervals().size(), 3U);
  EXPECT_EQ(series.intervals()[0].largest_queue, 10U);
  EXPECT_EQ(series.intervals()[1].largest_queue, 70U);
  EXPECT_EQ(series.intervals()[2].largest_queue, 30U);
  EXPECT_EQ(series.intervals()[0].sent, 100U);
  EXPECT_EQ(series.intervals()[1].sent, 200U);
}

TEST(Series, AddsUpToWhatThePortSent) {
  const Topology topology = read(incast(4, "xoff: 64KiB, samples: 32"));
  Network network(topology, profile_with(""));
  send_to_last(network, 4, 1 << 20);
  network.run();
  for (PortId port = 0; port < network.transport->fabric().port_count(); ++port) {
    const Series* series = network.transport->fabric().series(port);
    ASSERT_NE(series, nullptr);
    EXPECT_LE(series->intervals().size(), 32U);
    std::uint64_t sent = 0, queue = 0;
    for (const auto& interval : series->intervals()) {
      sent += interval.sent;
      queue = std::max(queue, interval.largest_queue);
    }
    const PortStatistics all = network.transport->fabric().statistics(port);
    EXPECT_EQ(sent, all.bytes);
    EXPECT_LE(queue, all.largest_queue);
    if (topology.devices[topology.links[port].from].kind == DeviceKind::network_switch && all.bytes > 1 << 21) {
      EXPECT_EQ(queue, all.largest_queue);
    }
  }
}

// --- ECMP, spraying, adaptive routing ---

std::int64_t four_across(const std::string& mode) {
  const Topology topology = read(two_leaves(mode));
  Network network(topology, profile_with("congestion_control: none"));
  for (int h = 0; h < 4; ++h) network.send(network.connect(h, h + 4), 8 << 20, static_cast<std::uint32_t>(h));
  network.run();
  std::int64_t last = 0;
  for (const auto& [tag, time] : network.delivered) last = std::max(last, time);
  EXPECT_EQ(network.transport->statistics().retransmitted, 0U);
  return last;
}

TEST(Paths, SprayingAndAdaptiveRoutingAvoidTheCollisionsOfEcmp) {
  const double ideal = 8.0 * 256 * 4194 * 80;
  const auto ecmp = static_cast<double>(four_across("ecmp"));
  EXPECT_GT(ecmp, 1.9 * ideal);  // two flows on one of four spines at least, with this seed
  EXPECT_LT(static_cast<double>(four_across("spray")), 1.10 * ideal);
  EXPECT_LT(static_cast<double>(four_across("adaptive")), 1.05 * ideal);
}

// --- TCP ---

TEST(Tcp, SlowStartDoublesTheWindowEachRoundTrip) {
  // 10 Gbit/s, round trip 4 x 1 ms: 10, 20, 40, 80, 160 segments in flight; 300 segments take 5 rounds.
  const Topology topology = read(star_of(2, "bandwidth: 10Gbps, latency: 1ms, mtu: 1500B"));
  Network network(topology, profile_with("kind: tcp, congestion_control: reno, acknowledge_every: 1"));
  network.send(network.connect(0, 1), 300 * 1500, 1);
  network.run();
  EXPECT_NEAR(static_cast<double>(network.delivered[1]), 4.0 * 4 * millisecond + 2.0 * millisecond, 0.5 * millisecond);
}

TEST(Tcp, AWindowIsABoundOnTheRate) {
  const Topology topology = read(star_of(2, "bandwidth: 10Gbps, latency: 1ms, mtu: 1500B"));
  Network network(topology, profile_with("kind: tcp, initial_window: 1000, receive_window: 150kB"));
  network.send(network.connect(0, 1), 100 * 150'000, 1);
  network.run();
  // 150 kB per round trip of 4 ms.
  EXPECT_NEAR(static_cast<double>(network.delivered[1]), 100 * 4.0 * millisecond, 3.0 * millisecond);
}

TEST(Tcp, GetsOverLossesAndSharesAQueue) {
  for (const char* control : {"cubic", "reno"}) {
    const Topology topology = read(star_of(3, "bandwidth: 1Gbps, latency: 500us, queue: 256KiB"));
    Network network(topology, profile_with(std::string("kind: tcp, congestion_control: ") + control));
    network.send(network.connect(0, 2), 32 << 20, 0);
    network.send(network.connect(1, 2), 32 << 20, 1);
    network.run();
    EXPECT_GT(network.total().drops, 0U);
    // Nothing is sent again that was not lost.
    EXPECT_EQ(network.transport->statistics().retransmitted, network.total().drops) << control;
    const double ideal = 2.0 * (32 << 20) / 1500 * 1598 * 8000;
    const double last = static_cast<double>(std::max(network.delivered[0], network.delivered[1]));
    EXPECT_LT(last, 1.15 * ideal) << control;
    EXPECT_GT(static_cast<double>(std::min(network.delivered[0], network.delivered[1])), 0.5 * ideal) << control;
  }
}

// What a topology says of its hosts' TCP, over a way of 20 ms there and back.
struct Buffers {
  std::optional<Bytes> send, receive;
};
std::int64_t time_of_4_mib(const Buffers& buffers) {
  Topology topology = read(star_of(2, "bandwidth: 1Gbps, latency: 5ms, mtu: 1500B"));
  topology.tcp.initial_window = 10000;
  topology.tcp.largest_packet = Bytes{8192};
  topology.tcp.send_buffer = buffers.send;
  topology.tcp.receive_buffer = buffers.receive;
  Network network(topology, profile_with("kind: tcp"));
  network.send(network.connect(0, 1), 4 << 20, 1);
  network.run();
  return network.delivered[1];
}

TEST(Tcp, TheBuffersOfSocketsAreWindows) {
  // Five frames to a packet, 7,500 bytes, 870 beside them: 8 such packets are begun in 64 KiB. A writer that found no
  // room comes back when a third is free, when 5 of the 8 are left: 6 to 8 packets in a round trip of 20 ms.
  const double packets = 4.0 * (1 << 20) / 7500;
  const auto sending = static_cast<double>(time_of_4_mib({64_KiB, std::nullopt}));
  EXPECT_GT(sending, packets / 8 * 20 * millisecond);
  EXPECT_LT(sending, packets / 6 * 20.5 * millisecond);
  // 0.8 of 64 KiB less a packet are 44,928 bytes of window: 29 frames.
  EXPECT_NEAR(static_cast<double>(time_of_4_mib({std::nullopt, 64_KiB})),
              4.0 * (1 << 20) / (29 * 1500) * 20.3 * millisecond, 0.05 * 97 * 20.3 * millisecond);
  // Neither limits: the line's rate.
  EXPECT_NEAR(static_cast<double>(time_of_4_mib({})), 4.0 * (1 << 20) / 1500 * 1598 * 8000 + 10.0 * millisecond,
              1.0 * millisecond);
}

TEST(Tcp, AHostQueuesAMillisecondOfTheRateThatTheWindowStandsFor) {
  const auto largest_queue = [](std::int64_t initial_window) {
    Topology topology = read(star_of(2, "bandwidth: 1Gbps, latency: 5ms, mtu: 1500B"));
    topology.tcp.initial_window = initial_window;
    topology.tcp.largest_packet = Bytes{8192};
    topology.tcp.output_limit = 1_MiB;
    Network network(topology, profile_with("kind: tcp"));
    const auto connection = network.connect(0, 1);
    for (std::uint32_t tag = 0; tag < 2; ++tag) network.send(connection, 8 << 20, tag);
    network.run();
    return static_cast<std::int64_t>(network.transport->fabric().statistics(0).largest_queue);
  };
  // Windows up to the 2.5 MB that the way holds, and somewhat above: 1.2 to 2 times a twentieth of that.
  EXPECT_LT(largest_queue(10), 500'000);
  // A window of 15 MB from the first byte on: what the hosts allow.
  EXPECT_GT(largest_queue(10000), 1'000'000);
}

TEST(Tcp, TheHostsOfATopologyComeBeforeTheProfile) {
  Topology topology = read(star_of(2, "bandwidth: 1Gbps, latency: 5ms, mtu: 1500B") +
                           "tcp: {initial_window: 3, congestion_control: reno, slow_start_after_idle: false, "
                           "send_buffer: 64KiB, receive_buffer: 128KiB}\n");
  const Profile profile = profile_with("kind: tcp, initial_window: 100, congestion_control: cubic");
  const auto settings = transport_settings(topology, RoutingMode::ecmp, profile);
  EXPECT_EQ(settings.transport.initial_window, 3);
  EXPECT_EQ(settings.transport.congestion_control, CongestionControl::reno);
  EXPECT_FALSE(settings.transport.slow_start_after_idle);
  EXPECT_EQ(settings.send_buffer, 65536);
  EXPECT_EQ(settings.transport.receive_window, Bytes{104857 - 1500});
  // A NIC's connections are not the hosts'.
  EXPECT_EQ(transport_settings(topology, RoutingMode::ecmp, profile_with("kind: rdma")).send_buffer, 0);
}

TEST(Tcp, AnIdleWindowShrinks) {
  const Topology topology = read(star_of(2, "bandwidth: 1Gbps, latency: 1ms"));
  const auto second = [&](const std::string& keep) {
    Network network(topology, profile_with("kind: tcp, slow_start_after_idle: " + keep));
    const auto connection = network.connect(0, 1);
    network.send(connection, 8 << 20, 1);
    network.run();
    const std::int64_t later = network.delivered[1] + 2'000 * millisecond;
    network.run_until(later);
    network.send(connection, 1 << 20, 2, later);
    network.run();
    return network.delivered[2] - later;
  };
  EXPECT_GT(second("true"), second("false") + 10 * millisecond);
}

// --- Sender based, with trimming ---

TEST(SenderBased, TrimmingTellsOfEveryLossAtOnce) {
  const Topology topology = read(star_of(9, "bandwidth: 400Gbps, latency: 500ns, mtu: 4096B",
                                         "switching: {flow_control: none, trimming: true, buffer: 512KiB}\n"));
  Network network(topology, profile_with("kind: sender_based"));
  send_to_last(network, 8, 2 << 20);
  network.run();
  EXPECT_GT(network.total().trims, 0U);
  EXPECT_EQ(network.total().drops, 0U);
  EXPECT_EQ(network.transport->statistics().timeouts, 0U);
  const double wire = 8.0 * 512 * 4194 * 20;
  std::int64_t last = 0;
  for (const auto& [tag, time] : network.delivered) last = std::max(last, time);
  EXPECT_LT(static_cast<double>(last), 1.15 * wire);
}

// --- Whatever the network does, every message is accepted and delivered once ---

TEST(Packet, EveryMessageArrivesOnce) {
  EXPECT_TRUE(rc::check("accepted and delivered once, in order", [] {
    const auto one_of = [](std::initializer_list<const char*> values) {
      return std::string(*rc::gen::elementOf(std::vector<const char*>(values)));
    };
    const std::string mode = one_of({"ecmp", "spray", "adaptive"});
    const std::string kind =
        one_of({"kind: rdma", "kind: rdma, recovery: selective_repeat", "kind: rdma, window: 8KiB",
                "kind: rdma, congestion_control: dcqcn", "kind: tcp", "kind: tcp, burst_segments: 5",
                "kind: tcp, congestion_control: reno", "kind: sender_based"});
    const std::string control = one_of({"none", "pfc", "credits"});
    const int buffer = *rc::gen::inRange(64, 1024);
    const double loss = *rc::gen::elementOf(std::vector<double>{0, 0, 0.001, 0.02});
    const Topology topology =
        read(fmt::format("generate: {{leaf_spine: {{hosts: 8, leaves: 2, spines: 2, link: {{bandwidth: 10Gbps, "
                         "latency: 1us, mtu: 1500B, "
                         "loss: {}}}}}}}\nrouting: {{mode: {}}}\nswitching: {{flow_control: {}, buffer: {}KiB}}\n",
                         loss, mode, control, buffer));
    const auto seed = static_cast<std::uint64_t>(*rc::gen::inRange(1, 1000));
    Network network(topology, profile_with(kind + (kind.find("tcp") == std::string::npos ? ", timeout: 500us" : "")),
                    seed);
    const int connections = *rc::gen::inRange(1, 9);
    std::uint32_t tag = 0;
    std::map<std::uint32_t, std::uint32_t> before;  // of the same connection
    for (int c = 0; c < connections; ++c) {
      const int from = *rc::gen::inRange(0, 8);
      const int to = (from + *rc::gen::inRange(1, 8)) % 8;
      const auto connection = network.connect(from, to, static_cast<std::uint64_t>(c));
      const int messages = *rc::gen::inRange(1, 5);
      for (int m = 0; m < messages; ++m, ++tag) {
        if (m > 0) before[tag] = tag - 1;
        network.send(connection, static_cast<std::uint64_t>(*rc::gen::inRange(1, 200'000)), tag);
      }
    }
    network.run();
    network.run_until(network.transport->fabric().now() + 10 * millisecond);  // the last acknowledgements
    RC_ASSERT(network.delivered.size() == tag);
    RC_ASSERT(network.accepted.size() == tag);
    RC_ASSERT(network.notices == 2 * tag);
    for (const auto& [later, earlier] : before) RC_ASSERT(network.delivered[earlier] <= network.delivered[later]);
    if (control != "none" && loss == 0) RC_ASSERT(network.total().drops == 0U);
  }));
}

// --- Windows ---

// Limits that leave every moment a window of its own make all devices go on together, as in one queue.
TEST(Packet, WindowsChangeNothing) {
  EXPECT_TRUE(rc::check([] {
    const auto one_of = [](const std::vector<std::string>& names) { return *rc::gen::elementOf(names); };
    const std::string kind = one_of(
        {"kind: rdma, timeout: 500us", "kind: rdma, congestion_control: dcqcn, timeout: 500us",
         "kind: rdma, recovery: selective_repeat, timeout: 500us", "kind: tcp", "kind: sender_based, timeout: 500us"});
    const std::string shape =
        one_of({"fat_tree: {k: 4", "leaf_spine: {hosts: 8, leaves: 2, spines: 2", "star: {hosts: 8"});
    Topology topology = read(fmt::format(
        "generate: {{{}, link: {{bandwidth: 10Gbps, latency: 1us, mtu: 1500B}}}}}}\nrouting: {{mode: {}}}\n"
        "switching: {{flow_control: {}, buffer: {}KiB}}\n",
        shape, one_of({"ecmp", "spray", "adaptive"}), one_of({"none", "pfc", "credits"}), *rc::gen::inRange(64, 1024)));
    const double loss = *rc::gen::elementOf(std::vector<double>{0, 0, 0.01});
    for (Link& link : topology.links) link.loss = loss;
    // All alike, or of several lengths; switches with a link of next to none are handled with the hosts.
    if (*rc::gen::arbitrary<bool>())
      for (LinkId link = 0; link < topology.links.size(); link += 2)
        topology.links[link].latency = topology.links[link + 1].latency =
            Duration{*rc::gen::elementOf(std::vector<std::int64_t>{0, 20'000, 300'000, 300'000, 3'000'000, 3'000'000})};
    struct Sent {
      int from, to;
      std::uint64_t bytes;
    };
    std::vector<Sent> messages;
    for (int c = *rc::gen::inRange(1, 12); c > 0; --c) {
      const int from = *rc::gen::inRange(0, 8);
      messages.push_back(
          {from, (from + *rc::gen::inRange(1, 8)) % 8, static_cast<std::uint64_t>(*rc::gen::inRange(1, 200'000))});
    }
    const int slow = *rc::gen::inRange(0, static_cast<int>(topology.links.size()));
    const auto run = [&](bool moment_by_moment) {
      Network network(topology, profile_with(kind));
      for (std::uint32_t m = 0; m < messages.size(); ++m)
        network.send(network.connect(messages[m].from, messages[m].to, m), messages[m].bytes, m);
      const auto run_until = [&](std::int64_t end) {
        for (std::int64_t next = 0; moment_by_moment && (next = network.transport->next_time()) <= end;)
          network.run_until(next);
        network.run_until(end);
      };
      run_until(20 * microsecond);
      Fabric& fabric = network.transport->fabric();
      fabric.set_now(20 * microsecond);
      fabric.set_rate(static_cast<PortId>(slow), 1e9);
      run_until(1000 * millisecond);
      std::vector<PortStatistics> ports;
      for (PortId port = 0; port < fabric.port_count(); ++port) ports.push_back(fabric.statistics(port));
      return std::tuple(network.accepted, network.delivered, fabric.hops(), fabric.events(), ports);
    };
    const auto whole = run(false);
    RC_ASSERT(std::get<1>(whole).size() == messages.size());
    RC_ASSERT(whole == run(true));
  }));
}

// --- Determinism ---

TEST(Packet, TheSameSeedGivesTheSameRun) {
  for (const char* mode : {"ecmp", "spray", "adaptive"})
    for (const char* kind : {"rdma", "rdma, recovery: selective_repeat", "tcp", "sender_based"}) {
      const Topology topology = read(two_leaves(mode) + "switching: {buffer: 256KiB, flow_control: none}\n");
      const auto run = [&](std::uint64_t seed) {
        Network network(topology, profile_with(fmt::format("kind: {}, timeout: 1ms", kind)), seed);
        for (int h = 0; h < 8; ++h)
          network.send(network.connect(h, (h + 5) % 8), 1 << 20, static_cast<std::uint32_t>(h));
        for (int h = 1; h < 8; ++h) network.send(network.connect(h, 0, 1), 1 << 18, static_cast<std::uint32_t>(h + 8));
        network.run();
        return std::pair(network.delivered, network.transport->fabric().events());
      };
      EXPECT_EQ(run(1), run(1)) << mode << ", " << kind;
    }
}

}  // namespace
}  // namespace lockstep::test

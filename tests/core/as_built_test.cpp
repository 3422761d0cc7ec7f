// What a lab was built as, laid over the topology of its file.
#include "core/topology/as_built.hpp"

#include <gtest/gtest.h>

#include "core/config/document.hpp"

namespace lockstep {
namespace {

Topology far() {
  return read_topology(config::parse_text("generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, latency: 5ms}}}\n"
                                          "tcp: {initial_window: 3, congestion_control: reno}\n",
                                          "t.yaml"),
                       "t.yaml");
}

nlohmann::ordered_json built(const Topology& topology, const std::string& tcp) {
  nlohmann::ordered_json links;
  for (const Link& link : topology.links)
    links.push_back({{"from", topology.devices[link.from].name},
                     {"to", topology.devices[link.to].name},
                     {"rate_Gbps", 0.1},
                     {"burst_bytes", 16384},
                     {"queue_bytes", 65536},
                     {"delay_s", 0.0},
                     {"loss", 0.0},
                     {"mtu_bytes", 1500},
                     {"gso_max_size_bytes", 8192}});
  return {{"links", links}, {"cores", 2}, {"tcp", nlohmann::ordered_json::parse(tcp)}};
}

TEST(AsBuilt, SaysHowTheHostsTcpWasSet) {
  Topology topology = far();
  const int cores =
      apply_as_built(topology, built(topology, R"({"tcp_wmem": "4096 65536 65536", "tcp_rmem": "4096 131072 262144",
                                    "tcp_slow_start_after_idle": "1", "tcp_limit_output_bytes": "16384",
                                    "congestion_control_of_routes": "cubic", "initial_window_segments": 10})"));
  EXPECT_EQ(cores, 2);
  EXPECT_EQ(topology.links[0].latency, Duration{0});
  const HostTcp expected{CongestionControl::cubic, 10, true, 64_KiB, 256_KiB, 8_KiB, 16_KiB};
  EXPECT_EQ(topology.tcp, expected);
}

TEST(AsBuilt, WhatItDoesNotSayStaysAsTheFileHasIt) {
  Topology topology = far();
  // The machine's own settings, one unreadable, one of a kind that the model does not have.
  apply_as_built(topology, built(topology, R"({"tcp_wmem": "", "tcp_rmem": "many", "congestion_control_of_routes": null,
                                               "initial_window_segments": null})"));
  EXPECT_EQ(topology.tcp.initial_window, 3);
  EXPECT_EQ(topology.tcp.congestion_control, CongestionControl::reno);
  EXPECT_FALSE(topology.tcp.send_buffer);
  EXPECT_FALSE(topology.tcp.receive_buffer);
}

}  // namespace
}  // namespace lockstep

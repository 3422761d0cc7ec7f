// What NCCL 2.28.9 itself said, on an H100 and an H200: its table of latencies and bandwidths, and what it chose at
// each size, for 2, 4 and 8 nodes of one GPU on a network of 10 Gbit/s. Nothing of the model is fitted to that.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/json.hpp"
#include "core/base/text.hpp"
#include "core/config/document.hpp"
#include "core/nccl/tuning.hpp"

namespace lockstep::nccl {
namespace {

// measurements/gpu/: ranks in processes that call themselves hosts, sockets over a loopback device without a stated
// speed, which NCCL takes for 10 Gbit/s. The machine's processor is Intel's.
System sockets(int nodes) {
  const Topology topology = read_topology(config::parse_text(R"(
name: t
node:
  parts:
    - {name: cpu0, kind: cpu}
    - {name: nic0, kind: nic}
    - {name: gpu0, kind: gpu, model: h200_sxm}
  links:
    - {between: [nic0, cpu0], bandwidth: 112800Mbps, latency: 100ns, kind: pcie}
    - {between: [gpu0, cpu0], bandwidth: 451200Mbps, latency: 100ns, kind: pcie}
generate:
  star: {hosts: )" + std::to_string(nodes) + R"(, link: {bandwidth: 10Gbps, latency: 5us, kind: ethernet}}
)",
                                                             "t.yaml"),
                                          "t.yaml");
  return system_of(topology, nodes, {});
}

struct Row {  // of the table in NCCL's log, as printed: one decimal
  int nodes;
  CollectiveKind kind;
  Algorithm algorithm;
  Protocol protocol;
  double latency_us, bandwidth_GBps;
};

TEST(NcclMeasured, TableOfLatenciesAndBandwidths) {
  using enum CollectiveKind;
  constexpr auto ll = Protocol::ll;
  constexpr auto simple = Protocol::simple;
  for (const Row& row : std::vector<Row>{
           {2, all_reduce, Algorithm::tree, ll, 16.8, 0.2},     {2, all_reduce, Algorithm::tree, simple, 36.4, 0.9},
           {2, all_reduce, Algorithm::ring, ll, 16.6, 0.6},     {2, all_reduce, Algorithm::ring, simple, 36.4, 1.2},
           {2, all_gather, Algorithm::ring, ll, 11.6, 1.2},     {2, all_gather, Algorithm::ring, simple, 22.4, 2.4},
           {2, all_gather, Algorithm::pat, simple, 17.6, 1.8},  {4, all_reduce, Algorithm::tree, ll, 26.8, 0.1},
           {4, all_reduce, Algorithm::tree, simple, 64.4, 0.5}, {4, all_reduce, Algorithm::ring, ll, 36.6, 0.4},
           {4, all_reduce, Algorithm::ring, simple, 92.4, 0.8}, {4, all_gather, Algorithm::ring, ll, 21.6, 0.8},
           {4, all_gather, Algorithm::ring, simple, 50.4, 1.6}, {4, all_gather, Algorithm::pat, simple, 27.2, 0.9},
           {8, all_reduce, Algorithm::tree, ll, 36.8, 0.1},     {8, all_reduce, Algorithm::tree, simple, 92.4, 0.5},
           {8, all_reduce, Algorithm::ring, ll, 76.6, 0.3},     {8, all_reduce, Algorithm::ring, simple, 204.4, 0.7},
           {8, all_gather, Algorithm::ring, ll, 41.6, 0.7},     {8, all_gather, Algorithm::ring, simple, 106.4, 1.4},
           {8, all_gather, Algorithm::pat, simple, 42.4, 0.9},  {8, broadcast, Algorithm::ring, ll, 9.3, 0.6},
           {8, broadcast, Algorithm::ring, simple, 22.4, 1.2}}) {
    bool found = false;
    // The table is for no size: below the corrections for small and medium messages.
    for (const auto& candidate : candidates(sockets(row.nodes), row.kind, 8)) {
      if (candidate.algorithm != row.algorithm || candidate.protocol != row.protocol) continue;
      found = true;
      EXPECT_NEAR(candidate.latency_us, row.latency_us, 0.0501)
          << row.nodes << to_string(row.kind) << to_string(row.algorithm);
      EXPECT_NEAR(candidate.bandwidth_GBps, row.bandwidth_GBps, 0.0501)
          << row.nodes << to_string(row.kind) << to_string(row.algorithm);
    }
    EXPECT_TRUE(found) << row.nodes << to_string(row.kind) << to_string(row.algorithm);
  }
}

struct Kind {
  std::string in_log;
  CollectiveKind kind;
  bool per_rank;  // the log gives the part of one rank, we the whole buffer
};

TEST(NcclMeasured, EveryChoice) {
  int compared = 0;
  for (const char* gpu : {"h100", "h200"}) {
    const auto measured = nlohmann::json::parse(
        read_text_file(std::string(LOCKSTEP_SOURCE_DIR) + "/measurements/gpu/nccl_" + gpu + "_mps.json"));
    for (const auto& job : measured.at("nccl")) {
      if (!job.contains("choices")) continue;
      const int ranks = job.at("ranks");
      const System system = sockets(ranks);
      for (const Kind& kind : std::vector<Kind>{{"AllReduce", CollectiveKind::all_reduce, false},
                                                {"AllGather", CollectiveKind::all_gather, true},
                                                {"ReduceScatter", CollectiveKind::reduce_scatter, true},
                                                {"Broadcast", CollectiveKind::broadcast, false},
                                                {"Reduce", CollectiveKind::reduce, false}}) {
        for (const auto& row : job.at("choices")) {
          if (row.at("collective").get<std::string>() != kind.in_log) continue;
          const std::int64_t bytes = row.at("size_bytes").get<std::int64_t>() * (kind.per_rank ? ranks : 1);
          const Candidate chosen = choose(system, kind.kind, bytes);
          const auto upper = [](std::string text) {
            for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
            return text;
          };
          EXPECT_EQ(upper(std::string(to_string(chosen.algorithm))), row.at("algorithm").get<std::string>())
              << gpu << ", " << ranks << " ranks, " << kind.in_log << " of " << bytes;
          EXPECT_EQ(upper(std::string(to_string(chosen.protocol))), row.at("protocol").get<std::string>())
              << gpu << ", " << ranks << " ranks, " << kind.in_log << " of " << bytes;
          EXPECT_EQ(chosen.channels, row.at("channels").get<int>())
              << gpu << ", " << ranks << " ranks, " << kind.in_log << " of " << bytes;
          ++compared;
        }
      }
    }
  }
  EXPECT_EQ(compared, 630);
}

}  // namespace
}  // namespace lockstep::nccl

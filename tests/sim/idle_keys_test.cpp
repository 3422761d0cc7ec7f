// Is a key that did nothing named, with its place and the reason, and no other?
#include "sim/idle_keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::sim {
namespace {

struct Files {
  std::string topology = "generate: {star: {hosts: 4, link: {bandwidth: 1Gbps, latency: 1us}}}\n";
  std::string workload = "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 1MiB}]\n";
  std::string profile = "name: p\n";
  std::vector<std::pair<std::string, std::string>> set_topology, set_workload, set_profile;
  std::string fidelity = "flow";
  bool ranks_by_option = false;
};

config::Node document(const std::string& text, const std::string& name, const std::string& prefix,
                      const std::vector<std::pair<std::string, std::string>>& settings) {
  config::Node root = config::parse_text(text, name);
  for (const auto& [key, value] : settings) config::set_key(root, key, value, prefix);
  return root;
}

std::vector<std::string> idle(const Files& files) {
  const Topology topology =
      read_topology(document(files.topology, "t.yaml", "topology.", files.set_topology), "t.yaml");
  const Workload workload =
      read_workload(document(files.workload, "w.yaml", "workload.", files.set_workload), "w.yaml");
  const Profile profile = read_profile(document(files.profile, "p.yaml", "profile.", files.set_profile), "p.yaml");
  const PlannedWorkload planned = plan_workload(workload, 4);
  return idle_keys({&topology, &workload, &profile, &planned, files.fidelity, files.ranks_by_option});
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(IdleKeys, NothingToSay) { EXPECT_THAT(idle({}), IsEmpty()); }

TEST(IdleKeys, OfALink) {
  Files files;
  files.topology =
      "generate: {star: {hosts: 4, link: {bandwidth: 1Gbps, latency: 1us, loss: 1%, queue: 1MiB, mtu: 9000B}}}\n";
  EXPECT_THAT(idle(files),
              ElementsAre("t.yaml:1:68: 'generate.star.link.loss' has no effect: fidelity 'flow' knows no packets, so "
                          "it loses none",
                          "t.yaml:1:78: 'generate.star.link.queue' has no effect: fidelity 'flow' knows no packets, so "
                          "none wait",
                          "t.yaml:1:91: 'generate.star.link.mtu' has no effect: profile 'p' has no headers, whatever "
                          "the size of a packet"));
  files.profile = "name: p\ntcp: {framing: {frame_header: 14B}}\n";
  EXPECT_EQ(idle(files).size(), 2U) << "with headers the MTU counts";
  files.topology = "generate: {star: {hosts: 4, link: {bandwidth: 1Gbps, loss: 0%}}}\n";
  EXPECT_THAT(idle(files), IsEmpty()) << "a loss of nothing is no loss";
}

TEST(IdleKeys, OfLinksInAListAreNamedOnce) {
  Files files;
  files.topology =
      "nodes: [{name: a}, {name: b}, {name: c}, {name: d}, {name: s, kind: switch}]\n"
      "links:\n"
      "  - {between: [a, s], bandwidth: 1Gbps, loss: 1%}\n"
      "  - {between: [b, s], bandwidth: 1Gbps, loss: 1%}\n"
      "  - {between: [c, s], bandwidth: 1Gbps}\n"
      "  - {between: [d, s], bandwidth: 1Gbps}\n";
  EXPECT_THAT(idle(files), ElementsAre("t.yaml:3:41: 'links.*.loss' has no effect: fidelity 'flow' knows no packets, "
                                       "so it loses none"));
}

TEST(IdleKeys, BySetting) {
  Files files;
  files.workload = "name: w\ncollectives: [{kind: broadcast, algorithm: tree, size: 1MiB}]\niterations: 7\n";
  files.set_workload = {{"iterations", "9"}};
  files.set_profile = {{"reduction.bandwidth", "3GB/s"}};
  EXPECT_THAT(idle(files),
              ElementsAre("--set workload.iterations=9: has no effect: a simulation has no noise: one iteration stands "
                          "for all",
                          "--set profile.reduction.bandwidth=3GB/s: has no effect: no collective of the workload "
                          "combines data"));
  files.set_workload = {};
  files.set_profile = {};
  EXPECT_THAT(idle(files), IsEmpty()) << "a workload file is shared with measurements";
}

TEST(IdleKeys, OfAlgorithms) {
  Files files;
  files.workload =
      "name: w\ncollectives: [{kind: all_reduce, algorithm: recursive_doubling, size: 1MiB, chunk: 64KiB}]\n";
  EXPECT_THAT(idle(files), ElementsAre("w.yaml:2:77: 'collectives.*.chunk' has no effect: recursive_doubling goes in "
                                       "the same steps with any chunk"));
  files.workload = "name: w\ncollectives: [{kind: all_reduce, algorithm: tree, size: 1MiB, chunk: 64KiB}]\n";
  EXPECT_THAT(idle(files), IsEmpty()) << "a tree is a pipeline";
  files.workload =
      "name: w\ncollectives: [{kind: all_reduce, algorithm: [tree, recursive_doubling], size: 1MiB, chunk: 64KiB}]\n";
  EXPECT_THAT(idle(files), IsEmpty()) << "it did something";
  files.workload = "name: w\ncollectives: [{kind: all_to_all, size: 1MiB, in_place: true}]\n";
  EXPECT_THAT(idle(files), ElementsAre("w.yaml:2:46: 'collectives.*.in_place' has no effect: these collectives have "
                                       "two buffers at any rate"));
  files.workload = "name: w\nranks: 3\ncollectives: [{kind: barrier}]\n";
  files.ranks_by_option = true;
  EXPECT_THAT(idle(files), ElementsAre("w.yaml:2:1: 'ranks' has no effect: --ranks overrides it"));
}

TEST(IdleKeys, OrderMattersToSlicesUnderAnalytic) {
  Files files;
  files.fidelity = "analytic";
  files.set_profile = {{"tcp.ordered", "true"}};
  files.workload = "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 1MiB, chunk: 16KiB}]\n";
  EXPECT_THAT(idle(files), IsEmpty());
  files.workload = "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 1MiB}]\n";
  EXPECT_THAT(idle(files), ElementsAre("--set profile.tcp.ordered=true: has no effect: fidelity 'analytic' has no "
                                       "connections"));
}

TEST(IdleKeys, OfSwitchesThatReduce) {
  Files files;
  files.topology = "generate: {star: {hosts: 4, link: {bandwidth: 1Gbps}}}\nswitching: {reduction: network}\n";
  files.workload = "name: w\ncollectives: [{kind: all_reduce, algorithm: in_network, size: 1MiB}]\n";
  EXPECT_THAT(idle(files), IsEmpty());
  files.workload = "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 1MiB}]\n";
  EXPECT_THAT(idle(files), ElementsAre("t.yaml:2:13: 'switching.reduction' has no effect: no collective of the "
                                       "workload goes by in_network"));
  files.fidelity = "packet";
  EXPECT_THAT(idle(files),
              ElementsAre("t.yaml:2:13: 'switching.reduction' has no effect: fidelity 'packet' merges no messages"));
}

TEST(IdleKeys, OfAProfile) {
  Files files;
  files.profile =
      "name: p\ncores: 4\nreduction: {granularity: 64KiB}\n"
      "tcp: {overhead: 1us, eager_threshold: 1GiB, framing: {acknowledgement: 66B}}\n";
  EXPECT_THAT(idle(files),
              ElementsAre("p.yaml:2:1: 'cores' has no effect: 4 ranks never need more than so many cores",
                          "p.yaml:3:13: 'reduction.granularity' has no effect: reduction is free without "
                          "'reduction.bandwidth'",
                          "p.yaml:4:22: 'tcp.eager_threshold' has no effect: no message of the workload is larger",
                          "p.yaml:4:55: 'tcp.framing.acknowledgement' has no effect: without 'acknowledged' "
                          "acknowledgements cost nothing"));
  files.fidelity = "analytic";
  files.profile = "name: p\ncopies: {intervals: [{bandwidth: 1GB/s}]}\n";
  EXPECT_THAT(idle(files), ElementsAre("p.yaml:2:23: 'copies.intervals.*.bandwidth' has no effect: fidelity "
                                       "'analytic' has no local copies"));
  files.profile = "name: p\nstart_latency: 1us\ntcp: {ordered: true}\ncores: 2\n";
  EXPECT_THAT(idle(files),
              ElementsAre("p.yaml:2:1: 'start_latency' has no effect: fidelity 'analytic' has no common start",
                          "p.yaml:3:7: 'tcp.ordered' has no effect: fidelity 'analytic' has no connections",
                          "p.yaml:4:1: 'cores' has no effect: fidelity 'analytic' has no queues for processors"));
}

TEST(IdleKeys, OfKernels) {
  Files files;
  files.set_profile = {{"compute.adam.float32.bandwidth", "1GB/s"}, {"cores", "2"}};
  EXPECT_THAT(idle(files),
              ElementsAre("--set profile.compute.adam.float32.bandwidth=1GB/s: has no effect: the workload "
                          "has no kernels"));
  files.workload = "name: w\nkernels: [{kernel: adam, elements: 8}]\n";
  EXPECT_THAT(idle(files), IsEmpty());
  files.fidelity = "analytic";  // which has no queues for cores, but turns of kernels
  EXPECT_THAT(idle(files), IsEmpty());
}

TEST(IdleKeys, SwitchOverheadWithoutASwitch) {
  Files files;
  files.topology =
      "nodes: [{name: a}, {name: b}, {name: c}, {name: d}]\n"
      "links: [{between: [a, b], bandwidth: 1Gbps}, {between: [a, c], bandwidth: 1Gbps}, {between: [a, d], bandwidth: "
      "1Gbps}]\n";
  files.profile = "name: p\ntcp: {switch_overhead: 1us}\n";
  files.workload = "name: w\ncollectives: [{kind: barrier}]\n";
  EXPECT_THAT(idle(files), ElementsAre("p.yaml:2:7: 'tcp.switch_overhead' has no effect: topology 't' has no switch"));
}

TEST(IdleKeys, FaultsAreNamedOnce) {
  Files files;
  files.workload =
      "name: w\ncollectives: [{kind: barrier}]\nfaults: [{at: 1s, link: h0-s0, loss: 1%}, {rank: 1, slow: 2}]\n";
  EXPECT_THAT(idle(files),
              ElementsAre("w.yaml:3:32: 'faults.*.loss' has no effect: fidelity 'flow' knows no packets, so "
                          "it loses none"))
      << "the slow rank is simulated";
  files.workload = "name: w\ncollectives: [{kind: barrier}]\nfaults: [{at: 1s, link: h0-s0, loss: 1%}]\n";
  EXPECT_THAT(idle(files), ElementsAre("w.yaml:3:11: 'faults' has no effect: fidelity 'flow' knows no packets, so it "
                                       "loses none"));
}

TEST(IdleKeys, ModesOfRoutingThatNeedSeveralRoutes) {
  Files files;
  files.workload = "name: w\ncollectives: [{kind: barrier}]\n";
  const std::string star = "generate: {star: {hosts: 4, link: {bandwidth: 1Gbps}}}\n";
  files.topology = star + "routing: {mode: spray}\n";
  EXPECT_THAT(idle(files), ElementsAre()) << "fidelity 'flow' sprays";
  files.fidelity = "analytic";
  EXPECT_THAT(idle(files), ElementsAre("t.yaml:2:11: 'routing.mode' has no effect: fidelity 'analytic' gives "
                                       "every message one route, as ecmp does"));
  files.topology = star + "routing: {mode: ecmp}\n";
  EXPECT_THAT(idle(files), ElementsAre());
}

}  // namespace
}  // namespace lockstep::sim

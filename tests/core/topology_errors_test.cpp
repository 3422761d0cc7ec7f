// Is every wrong topology refused with its position, what is wrong and the remedy?
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/topology/topology.hpp"
#include "tests/core/messages.hpp"

namespace lockstep {
namespace {

struct WrongTopology {
  const char* name;
  const char* text;
  const char* message;
};

class TopologyErrors : public testing::TestWithParam<WrongTopology> {};

TEST_P(TopologyErrors, HaveTheirExactMessage) {
  EXPECT_EQ(
      test::message_of<InputError>([] { read_topology(config::parse_text(GetParam().text, "t.yaml"), "t.yaml"); }),
      GetParam().message);
}

// A good beginning, before or after what is wrong.
#define STAR "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps}}}\n"

#define TEMPLATES                                                                                                      \
  "dgx_v100, dgx_a100, hgx_h100, hgx_h200, hgx_b200, gh200, gh200_x4, gb200_nvl72, mi300x, p4d, p5, p5en, pcie_8gpu, " \
  "pcie_8gpu_staged, cpu_intel, cpu_amd"

const WrongTopology wrong[] = {
    {"UnknownKey", "name: a\nqueues: []\n" STAR,
     "t.yaml:2:1: unknown topology key 'queues'; known: name, node, generate, nodes, links, placement, "
     "routing, switching, tcp, failed, degraded, faults"},
    {"PacketsOfNoSwitch", "switching: {packets: [sw, h0]}\n" STAR,
     "t.yaml:1:23: 'sw' is no switch of the network: s0\nt.yaml:1:27: 'h0' is no switch of the network: s0"},
    {"SmallBuffer", "tcp: {send_buffer: 1KiB}\n" STAR,
     "t.yaml:1:6: a socket buffer of 1KiB holds no packet: 4KiB at least"},
    {"UnknownTcpControl", "tcp: {congestion_control: bbr}\n" STAR,
     "t.yaml:1:27: unknown congestion control 'bbr'; known: cubic, reno"},
    {"UnknownGenerator", "generate: {stra: {hosts: 2}}\n",
     "t.yaml:1:12: unknown generator 'stra'; did you mean 'star'? known: star, ring, leaf_spine, fat_tree, torus, "
     "full_mesh, hyperx, dragonfly"},
    {"TwoGenerators", "generate: {star: {hosts: 5}, ring: {}}\n",
     "t.yaml:1:11: needs exactly one generator: star, ring, leaf_spine, fat_tree, torus, full_mesh, hyperx, dragonfly"},
    {"NoGenerator", "generate: star\n", "t.yaml:1:11: expected a map with the name of a generator, got 'star'"},
    {"UnknownTemplate", "node: hgx_h1000\n" STAR,
     "t.yaml:1:7: unknown node template 'hgx_h1000'; did you mean 'hgx_h100'? known: host, " TEMPLATES},
    {"UnknownKind", "nodes: [{name: sw0, kind: swich}]\n",
     "t.yaml:1:27: unknown kind of node 'swich'; did you mean 'switch'? known: host, switch, " TEMPLATES},
    {"BadName", "name: \"two words\"\n" STAR,
     "t.yaml:1:7: 'two words' is no name: at most 64 letters, digits, '_', '-', '.', the first a letter or digit"},
    {"NegativeBandwidth", "generate: {star: {hosts: 2, link: {bandwidth: -1Gbps}}}\n",
     "t.yaml:1:47: '-1Gbps' is negative; a bandwidth is 0 or more"},
    {"ZeroBandwidth", "generate: {star: {hosts: 2, link: {bandwidth: 0Gbps}}}\n",
     "t.yaml:1:47: must be positive, is 0bps"},
    {"UnitlessBandwidth", "generate: {star: {hosts: 2, link: {bandwidth: 5}}}\n",
     "t.yaml:1:47: '5' has no unit; a bandwidth takes bps, kbps, Mbps, Gbps or Tbps (bits), B/s, kB/s, MB/s, GB/s, "
     "TB/s, KiB/s, MiB/s or GiB/s (bytes)"},
    {"UnitlessLatency", "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, latency: 5}}}\n",
     "t.yaml:1:63: '5' has no unit; a duration takes ps, ns, us, ms, s, min or h"},
    {"MissingBandwidth", "generate: {star: {hosts: 2, link: {latency: 5us}}}\n",
     "t.yaml:1:35: the link lacks the key 'bandwidth'"},
    {"UnknownLinkKey", "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, latancy: 5us}}}\n",
     "t.yaml:1:54: unknown link key 'latancy'; did you mean 'latency'? known: bandwidth, latency, burst, queue, mtu, "
     "loss, duplex, kind"},
    {"LossAboveOne", "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, loss: 200%}}}\n",
     "t.yaml:1:60: must be between 0 and 1, is 2"},
    {"BadDuplex", "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, duplex: maybe}}}\n",
     "t.yaml:1:62: unknown duplex mode 'maybe'; known: full, half, true, false"},
    {"BadLinkKind", "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, kind: infinband}}}\n",
     "t.yaml:1:60: unknown kind of link 'infinband'; did you mean 'infiniband'? known: ethernet, infiniband, roce, "
     "efa, slingshot, nvlink, pcie, xgmi, socket"},
    {"MtuTooSmall", "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, mtu: 20B}}}\n",
     "t.yaml:1:59: an MTU is from 68B to 64KiB, not '20B'"},
    {"BurstBelowMtu", "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, burst: 1000B}}}\n",
     "t.yaml:1:61: a burst of 1000B never lets a packet of 1500B (the MTU) pass; make it at least that"},
    {"SeveralAtOnce", "generate: {star: {hosts: 2, link: {bandwidth: 1, latency: 2, mtu: 3}}}\n",
     "t.yaml:1:47: '1' has no unit; a bandwidth takes bps, kbps, Mbps, Gbps or Tbps (bits), B/s, kB/s, MB/s, GB/s, "
     "TB/s, KiB/s, MiB/s or GiB/s (bytes)\n"
     "t.yaml:1:59: '2' has no unit; a duration takes ps, ns, us, ms, s, min or h\n"
     "t.yaml:1:67: '3' has no unit; a size takes B, kB, MB, GB or TB (powers of 1000), KiB, MiB, GiB or TiB (powers of "
     "1024)"},
    {"NoHosts", "generate: {star: {hosts: 0, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:26: must be between 1 and 1000000000, is 0"},
    {"FractionOfAHost", "generate: {star: {hosts: 2.5, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:26: expected a whole number, got '2.5'"},
    {"TooLarge", "generate: {star: {hosts: 2000000, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:18: too large: 2000001 devices; a topology holds at most 2000000"},
    {"TooLargeByNodes",
     "node: hgx_h100\ngenerate: {ring: {switches: 1000000000, hosts_per_switch: 1000000000, link: {bandwidth: "
     "1Gbps}}}\n",
     "t.yaml:2:18: too large: more than 9223372036854775807 devices; a topology holds at most 2000000"},
    {"TooManyCables",
     "generate: {leaf_spine: {hosts: 500000, leaves: 500000, spines: 400000, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:24: too large: 200000000000 cables between switches; a topology holds at most 8000000"},
    {"Empty", "name: nothing\n",
     "t.yaml:1:1: an empty topology: no rank has a place; add 'generate:' or 'nodes:' with a host"},
    {"EmptyLists", "nodes: []\nlinks: []\n",
     "t.yaml:1:1: an empty topology: no rank has a place; add 'generate:' or 'nodes:' with a host"},
    {"SwitchesOnly", "nodes: [{name: s0, kind: switch}]\n",
     "t.yaml:1:1: an empty topology: no rank has a place; add 'generate:' or 'nodes:' with a host"},
    {"LinkToNowhere",
     "nodes: [{name: h0}, {name: sw0, kind: switch}]\nlinks: [{between: [h0, sw1], bandwidth: 1Gbps}]\n",
     "t.yaml:2:24: a link to nowhere: no node or device 'sw1'; did you mean 'sw0'?"},
    {"LinkToNothingNear", "nodes: [{name: h0}]\nlinks: [{between: [h0, elsewhere], bandwidth: 1Gbps}]\n",
     "t.yaml:2:24: a link to nowhere: no node or device 'elsewhere'"},
    {"SelfLink", "nodes: [{name: h0}]\nlinks: [{between: [h0, h0], bandwidth: 1Gbps}]\n",
     "t.yaml:2:24: a link joins two different devices; both ends are 'h0'"},
    {"LinkWithOneEnd", "nodes: [{name: h0}]\nlinks: [{between: [h0], bandwidth: 1Gbps}]\n",
     "t.yaml:2:19: 'between' names two devices, [a, b]; this has 1"},
    {"LinkToANodeOfManyNics",
     "nodes: [{name: g, kind: hgx_h100}, {name: h}]\nlinks: [{between: [h, g], bandwidth: 1Gbps}]\n",
     "t.yaml:2:23: 'g' has 8 NICs; name the one that the link goes to, such as 'g.nic0'"},
    {"LinkToANodeWithoutNic",
     "node: {gpus: 2, nvlink: 1GB/s}\nnodes: [{name: a}, {name: b}]\nlinks: [{between: [a, b], bandwidth: 1Gbps}]\n",
     "t.yaml:3:20: 'a' has no NIC for a link to go to\n"
     "t.yaml:3:23: 'b' has no NIC for a link to go to"},
    {"TwoNodesOfOneName", "nodes: [{name: h0}, {name: h1}, {name: h0}]\n",
     "t.yaml:1:40: two nodes are named 'h0'; the first is at t.yaml:1:16"},
    {"NameThatTheGeneratorTook", STAR "nodes: [{name: h1}]\n",
     "t.yaml:2:16: two nodes are named 'h1'; the generator made the first"},
    {"NamePartThatIsTaken", "nodes: [{name: g.gpu0}, {name: g, kind: hgx_h100}]\n",
     "t.yaml:1:32: the node 'g' has a part 'g.gpu0', a name that is taken"},
    {"LatencyOfAHost", "nodes: [{name: h0, latency: 1us}]\n",
     "t.yaml:1:29: 'latency' belongs to switches and links; 'h0' is no switch"},
    {"Disconnected", "nodes: [{name: h0}, {name: h1}, {name: h2}]\nlinks: [{between: [h0, h1], bandwidth: 1Gbps}]\n",
     "t.yaml:1:1: rank 0 (h0) and rank 2 (h2) are not connected: no path of links joins them"},
    {"PlacedTwice", STAR "placement: [h0, h1, h0]\n", "t.yaml:2:21: 'h0' is placed twice; first at t.yaml:2:13"},
    {"PlacedOnASwitch", STAR "placement: [s0]\n", "t.yaml:2:13: 's0' is not a machine; ranks are placed on nodes"},
    {"PlacedOnNothing", STAR "placement: [h0, h2]\n",
     "t.yaml:2:17: placement on an unknown node 'h2'; did you mean 'h0'?"},
    {"PlacedNowhere", STAR "placement: []\n", "t.yaml:2:12: needs at least 1 element"},
    {"RingOfTwo", "generate: {ring: {hosts: 2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:26: must be between 3 and 1000000000, is 2"},
    {"RingOfBoth", "generate: {ring: {hosts: 4, switches: 3, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:18: a ring has either 'hosts' (one on each switch) or 'switches' with 'hosts_per_switch'"},
    {"RingHostsPerSwitchOfHosts", "generate: {ring: {hosts: 4, hosts_per_switch: 3, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:47: 'hosts_per_switch' goes with 'switches', not with 'hosts'"},
    {"LeavesDoNotDivideHosts", "generate: {leaf_spine: {hosts: 9, leaves: 2, spines: 2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:24: 9 hosts do not divide evenly among 2 leaves; take a multiple of 2"},
    {"RailsDoNotDivideNics",
     "node: hgx_h100\ngenerate: {leaf_spine: {nodes: 2, rails: 3, spines: 2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:2:24: 3 rails do not divide the 8 NICs of a node of template 'hgx_h100'"},
    {"LeafSpineOfBoth", "generate: {leaf_spine: {hosts: 4, rails: 2, spines: 2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:24: a leaf_spine has either 'hosts' and 'leaves', or (GPU nodes) 'nodes' and 'rails'"},
    {"OversubscriptionZero",
     "generate: {leaf_spine: {hosts: 4, leaves: 2, spines: 2, oversubscription: 0, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:75: oversubscription must be positive, is '0'; 1 is none, 2 halves the uplinks"},
    {"OversubscriptionNegative", "generate: {fat_tree: {k: 4, oversubscription: -2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:47: oversubscription must be positive, is '-2'; 1 is none, 2 halves the uplinks"},
    {"UplinkWithoutBandwidth", "generate: {leaf_spine: {hosts: 2, leaves: 2, spines: 2, link: {bandwidth: 1bps}}}\n",
     "t.yaml:1:24: the uplinks would have no bandwidth; lower 'spines' or 'oversubscription'"},
    {"FatTreeOdd", "generate: {fat_tree: {k: 5, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:26: k must be even (half of a switch's ports go up), is 5"},
    {"FatTreeOfFourTiers", "generate: {fat_tree: {k: 4, tiers: 4, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:36: must be between 2 and 3, is 4"},
    {"FatTreeTooFull", "generate: {fat_tree: {k: 4, hosts: 17, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:22: 17 hosts do not fit: a fat tree of 3 tiers and k = 4 has room for 16"},
    {"FatTreePortsDoNotDivide", "node: hgx_h100\ngenerate: {fat_tree: {k: 6, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:2:22: 54 ports do not divide evenly among nodes of 8 NICs; say 'hosts'"},
    {"TemplateWithoutNic", "node: {gpus: 2, nvlink: 1GB/s}\ngenerate: {fat_tree: {k: 4, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:2:22: the node template 'inline' has no NIC to cable"},
    {"NicsDoNotDivideGpus", "node: {gpus: 8, nics: 3, pcie: 1GB/s}\n" STAR,
     "t.yaml:1:23: 3 NICs do not divide evenly among 8 GPUs; one must be a multiple of the other"},
    {"NicsWithoutPcie", "node: {gpus: 8, nvlink: 1GB/s, nics: 8}\n" STAR,
     "t.yaml:1:7: a node with NICs needs 'pcie', the rate of its PCIe links"},
    {"GpusWithoutAnyLink", "node: {gpus: 8}\nnodes: [{name: a}]\n",
     "t.yaml:1:7: GPUs without nvlink need 'pcie', the rate of the PCIe links between them"},
    {"TorusOfOne", "generate: {torus: {dimensions: [4, 1], link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:36: must be between 2 and 1000, is 1"},
    {"TorusOfNoDimension", "generate: {torus: {dimensions: [], link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:32: needs at least 1 element"},
    {"TorusOfSevenDimensions", "generate: {torus: {dimensions: [2, 2, 2, 2, 2, 2, 2], link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:32: at most 6 dimensions, not 7"},
    {"TorusTooLarge", "generate: {torus: {dimensions: [1000, 1000, 1000], link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:19: too large: 1002000000 devices; a topology holds at most 2000000"},
    {"FullMeshOfOne", "generate: {full_mesh: {switches: 1, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:34: must be between 2 and 1000000000, is 1"},
    {"HyperXWithoutDimensions", "generate: {hyperx: {link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:20: the hyperx lacks the key 'dimensions'"},
    {"DragonflyOfTooManyGroups",
     "generate: {dragonfly: {groups: 10, switches: 4, global_links: 2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:23: 10 groups of 4 switches with 2 global links each are too many: 9 is the most (switches x "
     "global_links + 1)"},
    {"LeavesWithoutSpines", "generate: {leaf_spine: {hosts: 4, leaves: 2, spines: 0, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:54: leaves without spines are not joined; 'spines: 0' is for rails, or for one leaf"},
    {"PodsWithoutSpines",
     "node: hgx_h100\ngenerate: {leaf_spine: {nodes: 4, rails: 8, pods: 2, spines: 0, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:2:62: pods without spines are not joined; 'spines: 0' goes with one pod"},
    {"PodsOfHosts", "generate: {leaf_spine: {hosts: 4, leaves: 2, pods: 2, spines: 2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:52: 'pods' goes with 'nodes' and 'rails'"},
    {"PodsDoNotDivideNodes",
     "node: hgx_h100\ngenerate: {leaf_spine: {nodes: 4, rails: 8, pods: 3, spines: 2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:2:24: 4 nodes do not divide evenly among 3 pods; take a multiple of 3"},
    {"OversubscriptionWithoutSpines",
     "node: hgx_h100\ngenerate: {leaf_spine: {nodes: 4, rails: 8, spines: 0, oversubscription: 2, link: {bandwidth: "
     "1Gbps}}}\n",
     "t.yaml:2:74: 'oversubscription' is of the uplinks, and 'spines: 0' has none"},
    {"MixThatDoesNotAddUp",
     "node: [{kind: hgx_h100, count: 2}, {kind: dgx_a100, count: 4}]\n"
     "generate: {star: {hosts: 8, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:7: the kinds of 'node' add up to 6 nodes, and the generator makes 8"},
    {"MixOfUnequalNics",
     "node: [{kind: hgx_h100, count: 2}, {kind: p4d, count: 2}]\n"
     "generate: {leaf_spine: {nodes: 4, rails: 4, spines: 2, link: {bandwidth: 1Gbps}}}\n",
     "t.yaml:1:7: nodes of 8 NICs ('hgx_h100') and of 4 ('p4d'): this generator deals ports out evenly, so all need as "
     "many"},
    {"MixWithoutGenerator", "node: [{kind: hgx_h100, count: 2}]\nnodes: [{name: a, kind: host}]\n",
     "t.yaml:1:7: 'node' counts kinds of nodes for a generator, and the file has no 'generate'"},
    {"MixAndANodeWithoutKind",
     "node: [{kind: hgx_h100, count: 2}]\ngenerate: {star: {hosts: 2, link: {bandwidth: 1Gbps}}}\nnodes: [{name: a}]\n",
     "t.yaml:3:9: 'a' needs a 'kind': the file's 'node' is a list of kinds"},
    {"UnknownGpu", "node: {gpus: 2, gpu: h100, nvlink: 1GB/s}\nnodes: [{name: a}]\n",
     "t.yaml:1:22: unknown GPU 'h100'; known: v100_sxm, v100_pcie, a100_sxm, a100_pcie, a40, "
     "h100_sxm, h100_pcie, h200_sxm, gh200, b200_sxm, gb200, mi300x"},
    {"NvlinkAndMesh", "node: {gpus: 2, nvlink: 1GB/s, mesh: 1GB/s}\nnodes: [{name: a}]\n",
     "t.yaml:1:38: GPUs have either 'nvlink' (to an NVSwitch) or 'mesh' (of every pair), not both"},
    {"SocketsWithoutLink", "node: {gpus: 2, pcie: 1GB/s, sockets: 2}\nnodes: [{name: a}]\n",
     "t.yaml:1:39: several sockets need 'socket_link', the rate between two of them"},
    {"SocketLinkWithoutSockets", "node: {gpus: 2, pcie: 1GB/s, socket_link: 2GB/s}\nnodes: [{name: a}]\n",
     "t.yaml:1:43: 'socket_link' joins sockets: say how many 'sockets', 2 or more"},
    {"StagedWithoutSockets", "node: {gpus: 2, pcie: 1GB/s, gpudirect: false}\nnodes: [{name: a}]\n",
     "t.yaml:1:41: 'gpudirect: false' stages data in the memory of a CPU; say how many 'sockets'"},
    {"NoPcieSwitchesNoSockets", "node: {gpus: 2, pcie: 1GB/s, pcie_switches: 0}\nnodes: [{name: a}]\n",
     "t.yaml:1:45: without PCIe switches GPUs and NICs hang on CPUs; say how many 'sockets'"},
    {"PcieSwitchesDoNotDivide", "node: {gpus: 8, nics: 2, pcie: 1GB/s, pcie_switches: 3}\nnodes: [{name: a}]\n",
     "t.yaml:1:54: 8 GPUs and 2 NICs do not divide evenly among 3 PCIe switches"},
    {"NicPcieWithoutNics", "node: {gpus: 2, pcie: 1GB/s, nic_pcie: 1GB/s}\nnodes: [{name: a}]\n",
     "t.yaml:1:40: 'nic_pcie' is of the links to NICs, and the node has none"},
    {"PartsWithoutRank", "node: {parts: [{name: nic0, kind: nic}]}\nnodes: [{name: a}]\n",
     "t.yaml:1:7: a node without a rank: it needs a GPU or a CPU for one"},
    {"PartsOfOneName", "node: {parts: [{name: a, kind: cpu}, {name: a, kind: nic}]}\nnodes: [{name: n}]\n",
     "t.yaml:1:45: two parts are named 'a'"},
    {"PartLinkToNowhere",
     "node: {parts: [{name: cpu0, kind: cpu}], links: [{between: [cpu0, nic0], bandwidth: 1GB/s}]}\nnodes: [{name: "
     "n}]\n",
     "t.yaml:1:67: a link to nowhere: no part 'nic0'"},
    {"PartLinkedToItself",
     "node: {parts: [{name: cpu0, kind: cpu}], links: [{between: [cpu0, cpu0], bandwidth: 1GB/s}]}\nnodes: [{name: "
     "n}]\n",
     "t.yaml:1:67: a link joins two different parts; both ends are 'cpu0'"},
    {"PartModelOfANic", "node: {parts: [{name: a, kind: cpu}, {name: b, kind: nic, model: a40}]}\nnodes: [{name: n}]\n",
     "t.yaml:1:66: 'model' belongs to GPUs; 'b' is a nic"},
    {"PartRankOnANic", "node: {parts: [{name: a, kind: cpu}, {name: b, kind: nic, rank: true}]}\nnodes: [{name: n}]\n",
     "t.yaml:1:65: a rank sits on a GPU or a CPU; 'b' is a nic"},
    {"PartsStagedWithoutCpu", "node: {parts: [{name: a, kind: gpu}], gpudirect: false}\nnodes: [{name: n}]\n",
     "t.yaml:1:7: 'gpudirect: false' stages data in the memory of a CPU, and the node has none"},
    {"UnknownRoutingMode", STAR "routing: {mode: ecpm}\n",
     "t.yaml:2:17: unknown routing mode 'ecpm'; did you mean 'ecmp'? known: ecmp, shortest, spray, adaptive, "
     "static_rail"},
    {"PxnMaybe", STAR "routing: {pxn: maybe}\n", "t.yaml:2:16: expected true or false, got 'maybe'"},
    {"UnknownFlowControl", STAR "switching: {flow_control: pcf}\n",
     "t.yaml:2:27: unknown flow control 'pcf'; did you mean 'pfc'? known: none, pfc, credits"},
    {"UnknownSwitchingKey", STAR "switching: {xof: 1KiB}\n",
     "t.yaml:2:13: unknown switching key 'xof'; did you mean 'xoff'? known: flow_control, buffer, alpha, xoff, "
     "headroom, "
     "credit_buffer, trimming, ecn_min, ecn_max, ecn_probability, packets, reduction, samples"},
    {"UnitlessBuffer", STAR "switching: {buffer: 32}\n",
     "t.yaml:2:21: '32' has no unit; a size takes B, kB, MB, GB or TB (powers of 1000), KiB, MiB, GiB or TiB (powers "
     "of 1024)"},
    {"MarksUpsideDown", STAR "switching: {ecn_min: 2MB, ecn_max: 1MB}\n", "t.yaml:2:12: 'ecn_min' is above 'ecn_max'"},
    {"TrimmingUnderPfc", STAR "switching: {trimming: true, flow_control: pfc}\n",
     "t.yaml:2:12: 'trimming' is for switches that drop: it needs 'flow_control: none'"},
    {"FailureOfNothing", STAR "failed: [{cables: 1}]\n",
     "t.yaml:2:10: a failure has either 'between', two devices, or 'device'"},
    {"FailureOfNoCable", STAR "failed: [{between: [h0, h1]}]\n", "t.yaml:2:21: no cable joins 'h0' and 'h1'"},
    {"FailureOfTooManyCables", STAR "failed: [{between: [h0, s0], cables: 2}]\n",
     "t.yaml:2:21: 1 cable joins 'h0' and 's0', not 2"},
    {"FailureOfUnknownDevice", STAR "failed: [{device: s1}]\n",
     "t.yaml:2:19: no node or device 's1' to fail; did you mean 'h1'?"},
    {"FailureOfAMachine", STAR "failed: [{device: h1}]\n",
     "t.yaml:2:19: 'h1' is a machine with ranks; a switch or a part of a node can fail, and 'placement' leaves "
     "machines "
     "out"},
    {"FailureWithCablesOfADevice", STAR "failed: [{device: s0, cables: 1}]\n",
     "t.yaml:2:31: 'cables' goes with 'between', not with 'device'"},
    {"FailureThatParts", STAR "failed: [{between: [h1, s0]}]\n",
     "t.yaml:1:1: rank 0 (h0) and rank 1 (h1) are not connected: no path of links joins them"},
    {"DegradationOfNothing", STAR "degraded: [{between: [h0, s0]}]\n",
     "t.yaml:2:12: a degradation changes 'bandwidth', 'latency' or 'loss'; this changes nothing"},
    {"DegradationToNothing", STAR "degraded: [{between: [h0, s0], bandwidth: 0%}]\n",
     "t.yaml:2:43: must be positive, is 0"},
    {"DegradationBeyondAll", STAR "degraded: [{between: [h0, s0], bandwidth: 150%}]\n",
     "t.yaml:2:43: must be between 0 and 1, is 1.5"},
    {"DegradationWithoutUnit", STAR "degraded: [{between: [h0, s0], bandwidth: 5}]\n",
     "t.yaml:2:43: '5' has no unit; a bandwidth takes bps, kbps, Mbps, Gbps or Tbps (bits), B/s, kB/s, MB/s, GB/s, "
     "TB/s, KiB/s, MiB/s or GiB/s (bytes)"},
};

INSTANTIATE_TEST_SUITE_P(Wrong, TopologyErrors, testing::ValuesIn(wrong),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace lockstep

// Is every wrong file, option and name refused with where it stands, what is wrong and what would help; with the right
// exit code, no output, and nothing left behind?
#include <gtest/gtest.h>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

struct WrongInput {
  const char* name;
  const char* file;  ///< written over the good files; empty: none
  const char* text;  ///< of that file
  const char* line;  ///< the command line
  const char* message;
};

void PrintTo(const WrongInput& wrong, std::ostream* out) { *out << wrong.line; }

class WrongInputs : public testing::TestWithParam<WrongInput> {};

TEST_P(WrongInputs, HaveTheirExactMessage) {
  const WrongInput& wrong = GetParam();
  const Folder folder;
  const Surroundings here{folder.path(), {}};
  folder.write("t.yaml", "name: star\ngenerate: {star: {hosts: 4, link: {bandwidth: 1Gbps, latency: 50us}}}\n");
  folder.write("w.yaml",
               "name: small\ncollectives:\n  - {kind: all_reduce, algorithm: ring, sizes: [4KiB]}\niterations: 2\n");
  folder.write("p.yaml", "name: p\ntcp: {overhead: 1us}\n");
  if (std::string(wrong.line).find("r.json") != std::string::npos) {
    ASSERT_EQ(lockstep_line("simulate -t t.yaml -w w.yaml -q --json r.json", here).code, 0);
    folder.write("m.json", folder.read("r.json"));
  }
  if (*wrong.file != '\0') folder.write(wrong.file, wrong.text);
  const auto before = folder.names();
  const Outcome outcome = lockstep_line(wrong.line, here);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.errors, "error: " + std::string(wrong.message) + "\n");
  // Only a comparison without rows says what found no partner.
  EXPECT_EQ(outcome.output.empty(), std::string(wrong.name) != "NothingMatches") << outcome.output;
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_FALSE(outcome.left_behind);
  EXPECT_EQ(folder.names(), before);
}

const WrongInput wrong_inputs[] = {
    // Files that are none.
    {"MissingTopology", "", "", "simulate -t s.yaml -w w.yaml", "s.yaml: no such file; did you mean 'p.yaml'?"},
    {"MissingWorkload", "", "", "simulate -t t.yaml -w workload_of_nobody.yaml",
     "workload_of_nobody.yaml: no such file"},
    {"MissingProfile", "", "", "simulate -t t.yaml -w w.yaml -p q.yaml",
     "q.yaml: no such file; did you mean 'p.yaml'?"},
    {"FolderForAFile", "", "", "simulate -t . -w w.yaml", ".: is a directory, a YAML file is needed"},
    {"EmptyFile", "t.yaml", "", "simulate -t t.yaml -w w.yaml", "t.yaml: is empty"},
    {"BinaryFile", "t.yaml",
     "\x01"
     "\x02"
     "\n",
     "simulate -t t.yaml -w w.yaml", "t.yaml:1:1: the control character 0x01; this is not a text file"},
    {"TabInTheIndentation", "t.yaml", "generate:\n\tstar: {}\n", "simulate -t t.yaml -w w.yaml",
     "t.yaml:2:1: a tab in the indentation; YAML indents with spaces"},
    {"UnclosedBracket", "t.yaml", "generate: {star: {hosts: 4\n", "simulate -t t.yaml -w w.yaml",
     "t.yaml:2:1: not YAML: end of map flow not found"},
    {"SecondDocument", "t.yaml", "name: a\n---\nname: b\n", "simulate -t t.yaml -w w.yaml",
     "t.yaml:2:1: a second document; a file holds one"},
    {"DuplicateKey", "t.yaml", "name: a\nname: b\ngenerate: {star: {hosts: 2, link: {bandwidth: 1Gbps}}}\n",
     "simulate -t t.yaml -w w.yaml", "t.yaml:2:1: duplicate key 'name'; it stands at line 1, column 1 already"},
    {"ListForAMap", "t.yaml", "- a\n- b\n", "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:1: expected a map with the keys of a topology, got a list"},
    // Topologies.
    {"UnknownTopologyKey", "t.yaml", "nmae: a\ngenerate: {star: {hosts: 2, link: {bandwidth: 1Gbps}}}\n",
     "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:1: unknown topology key 'nmae'; did you mean 'name'? known: name, node, generate, nodes, links, "
     "placement, routing, switching, tcp, failed, degraded, faults"},
    {"UnknownGenerator", "t.yaml", "generate: {starr: {hosts: 2, link: {bandwidth: 1Gbps}}}\n",
     "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:12: unknown generator 'starr'; did you mean 'star'? known: star, ring, leaf_spine, fat_tree, "
     "torus, full_mesh, hyperx, dragonfly"},
    {"NegativeBandwidth", "t.yaml", "generate: {star: {hosts: 2, link: {bandwidth: -1Gbps}}}\n",
     "simulate -t t.yaml -w w.yaml", "t.yaml:1:47: '-1Gbps' is negative; a bandwidth is 0 or more"},
    {"UnitlessBandwidth", "t.yaml", "generate: {star: {hosts: 2, link: {bandwidth: 1000}}}\n",
     "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:47: '1000' has no unit; a bandwidth takes bps, kbps, Mbps, Gbps or Tbps (bits), B/s, kB/s, MB/s, GB/s, "
     "TB/s, KiB/s, MiB/s or GiB/s (bytes)"},
    {"WrongUnitOfBandwidth", "t.yaml", "generate: {star: {hosts: 2, link: {bandwidth: 1GB}}}\n",
     "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:47: '1GB' is a size, not a bandwidth; did you mean 'GB/s'? A bandwidth takes bps, kbps, Mbps, Gbps or "
     "Tbps (bits), B/s, kB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s or GiB/s (bytes)"},
    {"NegativeLatency", "t.yaml", "generate: {star: {hosts: 2, link: {bandwidth: 1Gbps, latency: -5us}}}\n",
     "simulate -t t.yaml -w w.yaml", "t.yaml:1:63: '-5us' is negative; a duration is 0 or more"},
    {"BandwidthBeyondNumbers", "t.yaml", "generate: {star: {hosts: 2, link: {bandwidth: 99999999999999999999Tbps}}}\n",
     "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:47: '99999999999999999999Tbps' is too large; the largest bandwidth is 9223372036854775807 bits per "
     "second"},
    {"LeadingZero", "t.yaml", "generate: {star: {hosts: 010, link: {bandwidth: 1Gbps}}}\n",
     "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:26: '010' is not a plain decimal number (no leading zeros, no sign +, no 0x, no _)"},
    {"NegativeHosts", "t.yaml", "generate: {star: {hosts: -2, link: {bandwidth: 1Gbps}}}\n",
     "simulate -t t.yaml -w w.yaml", "t.yaml:1:26: must be between 1 and 1000000000, is -2"},
    {"HostsWithoutEnd", "t.yaml", "generate: {star: {hosts: 99999999999999999999, link: {bandwidth: 1Gbps}}}\n",
     "simulate -t t.yaml -w w.yaml", "t.yaml:1:26: must be between 1 and 1000000000, is 99999999999999999999"},
    {"LinkToNowhere", "t.yaml", "nodes: [{name: h0}, {name: h1}]\nlinks: [{between: [h0, h2], bandwidth: 1Gbps}]\n",
     "simulate -t t.yaml -w w.yaml", "t.yaml:2:24: a link to nowhere: no node or device 'h2'; did you mean 'h0'?"},
    {"TwoNodesOfOneName", "t.yaml", "nodes: [{name: h0}, {name: h0}]\nlinks: []\n", "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:28: two nodes are named 'h0'; the first is at t.yaml:1:16"},
    {"DisconnectedRanks", "t.yaml", "nodes: [{name: h0}, {name: h1}]\n", "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:1: rank 0 (h0) and rank 1 (h1) are not connected: no path of links joins them"},
    {"OddOversubscription", "t.yaml",
     "generate: {leaf_spine: {hosts: 4, leaves: 2, spines: 2, oversubscription: 0, link: {bandwidth: 1Gbps}}}\n",
     "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:75: oversubscription must be positive, is '0'; 1 is none, 2 halves the uplinks"},
    {"OddFatTree", "t.yaml", "generate: {fat_tree: {k: 3, link: {bandwidth: 1Gbps}}}\n", "simulate -t t.yaml -w w.yaml",
     "t.yaml:1:26: k must be even (half of a switch's ports go up), is 3"},
    // Workloads.
    {"UnknownWorkloadKey", "w.yaml", "name: a\niteration: 3\ncollectives: [{kind: all_reduce, size: 4KiB}]\n",
     "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:1: unknown workload key 'iteration'; did you mean 'iterations'? known: name, collectives, kernels, "
     "loader, "
     "iterations, warmup, ranks, faults"},
    {"UnknownCollective", "w.yaml", "name: a\ncollectives: [{kind: allreduce, size: 4KiB}]\n",
     "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:22: unknown collective 'allreduce'; did you mean 'all_reduce'? known: all_reduce, all_gather, "
     "reduce_scatter, broadcast, reduce, all_to_all, barrier, send_recv, gather, scatter, all_to_all_v"},
    {"UnknownAlgorithm", "w.yaml", "name: a\ncollectives: [{kind: all_reduce, algorithm: rings, size: 4KiB}]\n",
     "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:15: unknown algorithm 'rings'; did you mean 'ring'? known: ring, tree, halving_doubling, "
     "recursive_doubling, pairwise, direct, dissemination, binomial, bruck, pat, torus, hierarchical, "
     "hierarchical_leader, in_network"},
    {"AlgorithmOfAnotherKind", "w.yaml",
     "name: a\ncollectives: [{kind: broadcast, algorithm: halving_doubling, size: 4KiB}]\n",
     "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:15: algorithm 'halving_doubling' does not do broadcast; those that do: ring, tree, in_network"},
    {"NoCollectives", "w.yaml", "name: a\ncollectives: []\n", "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:14: needs at least 1 element"},
    {"MissingCollectives", "w.yaml", "name: a\n", "simulate -t t.yaml -w w.yaml",
     "w.yaml:1:1: a workload needs 'collectives', 'kernels' or 'loader'"},
    {"UnitlessSize", "w.yaml", "name: a\ncollectives: [{kind: all_reduce, size: 4096}]\n",
     "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:40: '4096' has no unit; a size takes B, kB, MB, GB or TB (powers of 1000), KiB, MiB, GiB or TiB (powers "
     "of 1024)"},
    {"NegativeSize", "w.yaml", "name: a\ncollectives: [{kind: all_reduce, size: -4KiB}]\n",
     "simulate -t t.yaml -w w.yaml", "w.yaml:2:40: '-4KiB' is negative; a size is 0 or more"},
    {"SizeOfHalfAnElement", "w.yaml", "name: a\ncollectives: [{kind: all_reduce, size: 6B}]\n",
     "simulate -t t.yaml -w w.yaml", "w.yaml:2:15: sizes: 6B is no multiple of the 4 bytes of a float32"},
    {"EmptySweep", "w.yaml", "name: a\ncollectives: [{kind: all_reduce, sizes: {from: 1MiB, to: 1KiB}}]\n",
     "simulate -t t.yaml -w w.yaml", "w.yaml:2:41: a sweep from 1MiB to 1KiB is empty; 'to' must not be below 'from'"},
    {"FactorOfOne", "w.yaml", "name: a\ncollectives: [{kind: all_reduce, sizes: {from: 1KiB, to: 1MiB, factor: 1}}]\n",
     "simulate -t t.yaml -w w.yaml", "w.yaml:2:72: must be between 2 and 1000000000, is 1"},
    {"UnknownType", "w.yaml", "name: a\ncollectives: [{kind: all_reduce, size: 4KiB, type: float31}]\n",
     "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:52: unknown element type 'float31'; did you mean 'float32'? known: float32, float64, int32, bfloat16"},
    {"UnknownReduction", "w.yaml", "name: a\ncollectives: [{kind: all_reduce, size: 4KiB, reduction: summ}]\n",
     "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:57: unknown reduction 'summ'; did you mean 'sum'? known: sum, max, min, avg"},
    {"RootOfNobody", "w.yaml", "name: a\ncollectives: [{kind: broadcast, size: 4KiB, root: 9}]\n",
     "simulate -t t.yaml -w w.yaml", "w.yaml:2:15: root: 9 is not one of the 4 ranks (0..3)"},
    {"NoIterations", "w.yaml", "name: a\niterations: 0\ncollectives: [{kind: all_reduce, size: 4KiB}]\n",
     "simulate -t t.yaml -w w.yaml", "w.yaml:2:13: must be between 1 and 1000000, is 0"},
    {"ReductionOfACopy", "w.yaml", "name: a\ncollectives: [{kind: all_gather, size: 4KiB, reduction: sum}]\n",
     "simulate -t t.yaml -w w.yaml", "w.yaml:2:46: all_gather does not combine data; remove 'reduction'"},
    {"TrainingAsText", "w.yaml", "name: a\ntrain: {model: llama3_8b}\n", "simulate -t t.yaml -w w.yaml",
     "w.yaml:2:1: unknown workload key 'train'; known: name, collectives, kernels, loader, iterations, warmup, ranks, "
     "faults"},
    // Ranks.
    {"RanksThatDoNotFit", "w.yaml", "name: a\nranks: 9\ncollectives: [{kind: all_reduce, size: 4KiB}]\n",
     "simulate -t t.yaml -w w.yaml",
     "9 ranks do not fit: topology 'star' has places for 4; the workload's 'ranks:' asks for them (--ranks N overrides "
     "it)"},
    {"RanksThatDoNotFitByOption", "", "", "simulate -t t.yaml -w w.yaml --ranks 5",
     "5 ranks do not fit: topology 'star' has places for 4; --ranks 4 at most, or a larger topology"},
    {"NoRanks", "", "", "simulate -t t.yaml -w w.yaml --ranks 0", "--ranks 0: at least 1"},
    {"RanksAsText", "", "", "simulate -t t.yaml -w w.yaml --ranks four",
     "--ranks: 'four' is no plain whole number (digits alone: no sign, no leading zeros, no 0x)\nRun 'lockstep "
     "simulate --help' for the options."},
    {"HowManyRanks", "", "", "run -w w.yaml", "how many ranks? Give --ranks N, or a topology with -t"},
    // Profiles.
    {"UnknownProfileKey", "p.yaml", "name: p\ntpc: {overhead: 1us}\n", "simulate -t t.yaml -w w.yaml -p p.yaml",
     "p.yaml:2:1: unknown profile key 'tpc'; did you mean 'tcp'? known: schema, name, backend, cores, start_latency, "
     "start_overhead, "
     "copy_bandwidth, copies, "
     "reduction, compute, tcp, transport, nccl, loader, measured"},
    {"UnitlessOverhead", "p.yaml", "name: p\ntcp: {overhead: 3}\n", "simulate -t t.yaml -w w.yaml -p p.yaml",
     "p.yaml:2:17: '3' has no unit; a duration takes ps, ns, us, ms, s, min or h"},
    {"NegativeOverhead", "p.yaml", "name: p\ntcp: {overhead: -3us}\n", "simulate -t t.yaml -w w.yaml -p p.yaml",
     "p.yaml:2:17: '-3us' is negative; a duration is 0 or more"},
    {"IntervalsOutOfOrder", "p.yaml",
     "name: p\ntcp: {messages: [{up_to: 1MiB, overhead: 1us}, {up_to: 1KiB, overhead: 2us}, {overhead: 3us}]}\n",
     "simulate -t t.yaml -w w.yaml -p p.yaml", "p.yaml:2:48: 'up_to' must ascend: 1KiB after 1MiB"},
    {"WorkloadForATopology", "", "", "simulate -t w.yaml -w w.yaml",
     "w.yaml:2:1: unknown topology key 'collectives'; known: name, node, generate, nodes, links, "
     "placement, routing, switching, tcp, failed, degraded, faults\nw.yaml:4:1: unknown topology key 'iterations'; "
     "known: "
     "name, node, "
     "generate, nodes, links, placement, routing, switching, tcp, failed, degraded, faults"},
    // Settings.
    {"SetUnknownPrefix", "", "", "simulate -t t.yaml -w w.yaml --set topolgy.name=a",
     "--set topolgy.name=a: unknown prefix 'topolgy'; did you mean 'topology'? known: topology, workload, profile"},
    {"SetUnknownKey", "", "", "simulate -t t.yaml -w w.yaml --set topology.generate.star.host=3",
     "--set topology.generate.star.host=3: unknown star key 'host'; did you mean 'hosts'? known: hosts, link, "
     "switch_latency"},
    {"SetWithoutValue", "", "", "simulate -t t.yaml -w w.yaml --set topology.name",
     "--set topology.name: expected topology.KEY=VALUE"},
    {"SetThePrefixAlone", "", "", "simulate -t t.yaml -w w.yaml --set topology=3",
     "--set topology=3: expected topology.KEY=VALUE"},
    {"SetUnitless", "", "", "simulate -t t.yaml -w w.yaml --set topology.generate.star.link.bandwidth=5",
     "--set topology.generate.star.link.bandwidth=5: '5' has no unit; a bandwidth takes bps, kbps, Mbps, Gbps or Tbps "
     "(bits), B/s, kB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s or GiB/s (bytes)"},
    {"SetNegative", "", "", "simulate -t t.yaml -w w.yaml --set workload.collectives.0.sizes=-5KiB",
     "--set workload.collectives.0.sizes=-5KiB: '-5KiB' is negative; a size is 0 or more"},
    {"SetBeyondTheList", "", "", "simulate -t t.yaml -w w.yaml --set workload.collectives.1.kind=barrier",
     "--set workload.collectives.1.kind=barrier: 'collectives' is a list with the elements 0 to 0; there is no element "
     "'1'"},
    {"SetThroughAValue", "", "", "simulate -t t.yaml -w w.yaml --set topology.name.x=1",
     "--set topology.name.x=1: 'name' is the value 'star' and has no keys"},
    {"SetBadYaml", "", "", "simulate -t t.yaml -w w.yaml --set topology.generate={star",
     "--set topology.generate={star:1:1: a list or map as a key, or a bracket that is never closed; keys are plain "
     "names"},
    {"SetProfileKey", "", "", "simulate -t t.yaml -w w.yaml --set profile.tcp.overhaed=3us",
     "--set profile.tcp.overhaed=3us: unknown tcp key 'overhaed'; did you mean 'overhead'? known: overhead, "
     "receive_overhead, latency, send_bandwidth, receive_bandwidth, messages, framing, switch_overhead, "
     "message_header, eager_threshold, send_buffer, copied, ordered"},
    {"SetProfileUnitless", "", "", "simulate -t t.yaml -w w.yaml --set profile.tcp.overhead=3",
     "--set profile.tcp.overhead=3: '3' has no unit; a duration takes ps, ns, us, ms, s, min or h"},
    {"SetOutOfRange", "", "", "simulate -t t.yaml -w w.yaml --set topology.generate.star.hosts=0",
     "--set topology.generate.star.hosts=0: must be between 1 and 1000000000, is 0"},
    {"SetNothing", "", "", "simulate -t t.yaml -w w.yaml --set",
     "--set: 1 required KEY=VALUE missing\nRun 'lockstep simulate --help' for the options."},
    // Packets.
    {"CongestionControlOfAnotherTransport", "", "",
     "simulate -t t.yaml -w w.yaml -q --fidelity packet --set profile.transport.kind=tcp --set "
     "profile.transport.congestion_control=dcqcn",
     "--set profile.transport.congestion_control=dcqcn: transport 'tcp' has no congestion control 'dcqcn'"},
    {"CreditsForNoPacket", "", "",
     "simulate -t t.yaml -w w.yaml -q --fidelity packet --set topology.switching.flow_control=credits --set "
     "topology.switching.credit_buffer=2KiB",
     "switching.credit_buffer: 2KiB do not hold two packets of 1500B"},
    {"QueueForNoPacket", "", "",
     "simulate -t t.yaml -w w.yaml -q --fidelity packet --set topology.switching.flow_control=none --set "
     "topology.generate.star.link.queue=1KiB",
     "the queue of the link from h0 to s0, 1KiB, never holds a packet of 1500B"},
    {"HeadroomForNoPacket", "", "",
     "simulate -t t.yaml -w w.yaml -q --fidelity packet --set topology.switching.buffer=1KiB --set "
     "topology.switching.headroom=1KiB",
     "switching: neither the buffer, 1KiB, nor the headroom, 1KiB, holds a packet of 1500B"},
    // Names.
    {"UnknownFidelity", "", "", "simulate -t t.yaml -w w.yaml --fidelity flwo",
     "unknown fidelity 'flwo'; did you mean 'flow'? known: analytic, flow, packet, mixed"},
    {"UnknownBackend", "", "", "run -w w.yaml --ranks 2 --backend tpc",
     "unknown backend 'tpc'; did you mean 'tcp'? known: tcp, lab, mpi, ucx, nccl"},
    {"UnknownDetail", "", "", "simulate -t t.yaml -w w.yaml --detail all", "unknown --detail 'all'; known: steps"},
    {"LabWithoutTopology", "", "", "run -w w.yaml --ranks 2 --backend lab",
     "--backend lab builds a topology: name it with -t FILE"},
    // Outputs.
    {"UnwritableJson", "", "", "simulate -t t.yaml -w w.yaml --json nowhere/result.json",
     "--json nowhere/result.json: cannot be written: No such file or directory"},
    {"UnwritableTrace", "", "", "simulate -t t.yaml -w w.yaml --trace nowhere/trace.json",
     "--trace nowhere/trace.json: cannot be written: No such file or directory"},
    {"JsonIntoAFolder", "", "", "simulate -t t.yaml -w w.yaml --json .", "--json .: cannot be written: Is a directory"},
    {"TraceToStandardOutput", "", "", "simulate -t t.yaml -w w.yaml --trace -",
     "--trace -: a trace needs a file of its own"},
    {"UnwritableReport", "", "", "compare r.json m.json --report nowhere/page.html",
     "--report nowhere/page.html: cannot be written: No such file or directory"},
    {"UnwritablePlan", "", "", "plan show -w w.yaml --ranks 2 --json nowhere/plan.json",
     "--json nowhere/plan.json: cannot be written: No such file or directory"},
    {"UnwritableTopology", "", "", "topology show t.yaml --json nowhere/topology.json",
     "--json nowhere/topology.json: cannot be written: No such file or directory"},
    {"UnwritableDoctor", "", "", "doctor --json nowhere/doctor.json",
     "--json nowhere/doctor.json: cannot be written: No such file or directory"},
    // Options.
    {"UnknownNestedCommand", "", "", "topology shwo t.yaml",
     "unknown command of 'topology' 'shwo'; did you mean 'show'? known: show, list, discover"},
    {"UnknownFlag", "", "", "simulate -t t.yaml -w w.yaml --fidelty flow",
     "unknown option '--fidelty'; did you mean '--fidelity'? known: --help, --topology, --workload, --fidelity, "
     "--profile, --ranks, --as-built, --detail, --runs, --steady, --set, --json, --trace, --seed, --verbose, "
     "--quiet\nRun "
     "'lockstep "
     "simulate --help' for the options."},
    {"UnknownKindOfFile", "", "", "schema topologies",
     "unknown kind of file 'topologies'; did you mean 'topology'? known: topology, workload, profile, algorithm"},
    {"MissingFlag", "", "", "simulate -w w.yaml",
     "--topology is required\nRun 'lockstep simulate --help' for the options."},
    {"FlagWithoutValue", "", "", "simulate -w w.yaml -t",
     "--topology: 1 required FILE missing\nRun 'lockstep simulate --help' for the options."},
    {"SeedAsText", "", "", "simulate -t t.yaml -w w.yaml --seed x",
     "--seed: 'x' is no plain whole number (digits alone: no sign, no leading zeros, no 0x)\nRun 'lockstep simulate "
     "--help' for the options."},
    {"NegativeSeed", "", "", "simulate -t t.yaml -w w.yaml --seed -1",
     "--seed: '-1' is no plain whole number (digits alone: no sign, no leading zeros, no 0x)\nRun 'lockstep simulate "
     "--help' for the options."},
    {"ExtraWord", "", "", "simulate -t t.yaml -w w.yaml more",
     "'more' is one word too many for 'lockstep simulate'\nRun 'lockstep simulate --help' for the options."},
    {"FlagTwice", "", "", "simulate -t t.yaml -w w.yaml -t t.yaml",
     "--topology: At Most 1 required but received 2\nRun 'lockstep simulate --help' for the options."},
    {"ToleranceAsText", "", "", "compare r.json m.json --tolerance much",
     "--tolerance much: 'much' is not a fraction; write 0.1% or 0.001"},
    {"NegativeTolerance", "", "", "compare r.json m.json --tolerance -5%",
     "--tolerance -5%: must not be negative; write 10% or 0.1"},
    {"TimeoutWithoutUnit", "", "", "run -w w.yaml --ranks 2 --timeout 5",
     "--timeout 5: '5' has no unit; a duration takes ps, ns, us, ms, s, min or h"},
    {"TimeoutOfNothing", "", "", "run -w w.yaml --ranks 2 --timeout 0s", "--timeout 0s: must be 1ms at least"},
    {"RendezvousTimeoutOfNothing", "", "", "run -w w.yaml --ranks 2 --rendezvous-timeout soon",
     "--rendezvous-timeout soon: 'soon' is not a duration; write a number and its unit: ps, ns, us, ms, s, min or h"},
    {"RouteToNobody", "", "", "topology show t.yaml --route 0 9", "no rank 9: star has ranks 0 to 3"},
    {"RouteOfOne", "", "", "topology show t.yaml --route 0",
     "--route: At least 2 required but received 1\nRun 'lockstep topology show --help' for the options."},
    {"DotAndJson", "", "", "topology show t.yaml --dot --json -",
     "--dot excludes --json\nRun 'lockstep topology show --help' for the options."},
    {"HostOfNobody", "", "", "lab exec -t t.yaml --host h9 -- true",
     "unknown host 'h9'; did you mean 'h0'? known: s0, h0, h1, h2, h3"},
    {"LabWithoutHost", "", "", "lab exec -t t.yaml -- true",
     "--host is required\nRun 'lockstep lab exec --help' for the options."},
    // Results and logs.
    {"MissingPrediction", "", "", "compare q.json m.json", "q.json: no such file"},
    {"MissingMeasurement", "", "", "compare r.json log.txt", "log.txt: no such file"},
    {"PredictionOfNothing", "r.json", "", "compare r.json m.json",
     "r.json:1:1: not valid JSON: syntax error while parsing value - unexpected end of input; expected '[', '{', or a "
     "literal"},
    {"PredictionThatIsNoJson", "r.json", "{\"schema\": \n", "compare r.json m.json",
     "r.json:2:1: not valid JSON: syntax error while parsing value - unexpected end of input; expected '[', '{', or a "
     "literal"},
    {"PredictionThatIsNoResult", "r.json", "{\"schema\": \"other/1\"}\n", "compare r.json m.json",
     "r.json: schema: 'other/1' is no result of Lockstep; expected 'lockstep.result/1'"},
    {"PredictionFromTheFuture", "r.json", "{\"schema\": \"lockstep.result/9\"}\n", "compare r.json m.json",
     "r.json: schema: 'lockstep.result/9' was written by a newer Lockstep; this one reads 'lockstep.result/1'"},
    {"PredictionWithoutSchema", "r.json", "{}\n", "compare r.json m.json", "r.json: the key 'schema' is missing"},
    {"PredictionThatIsAComparison", "r.json", "{\"schema\": \"lockstep.comparison/1\"}\n", "compare r.json m.json",
     "r.json: schema: this is a comparison ('lockstep.comparison/1'), but a result ('lockstep.result/1') was expected"},
    {"LogThatIsNoLog", "m.json", "hello\n", "compare r.json m.json",
     "m.json: not a measurement; expected a result of Lockstep (JSON), or a log of OSU micro-benchmarks, nccl-tests, "
     "nccl-tests -J, perftest"},
    {"LogCutOff", "m.json",
     "# nThread 1 nGpus 4 minBytes 8 maxBytes 8 step: 2(factor)\n#       size  count  type  redop  root  time  algbw  "
     "busbw  #wrong  time  algbw  busbw  #wrong\n  8  2  float  sum  -1  5.0  0.00\n",
     "compare r.json m.json", "m.json:3: expected 13 columns (size ... #wrong), found 7; is the log cut off?"},
    {"NothingMatches", "m.json",
     "# all_reduce_perf\n#  size  count  type  redop  root  time  algbw  busbw  #wrong  time  algbw  busbw  #wrong\n  "
     "8  2  float  sum  -1  5.0  0.00 0.00 0 5.0 0.00 0.00 0\n",
     "compare r.json m.json",
     "nothing to compare: no predicted row matches a measured one; the first without a partner is measured: all_reduce "
     "4 ranks 8B: no predicted row"},
    {"AsBuiltOfASimulation", "", "", "simulate -t t.yaml -w w.yaml --as-built r.json",
     "r.json: as_built: the result holds no network that was built (it is none of a lab measurement)"},
    {"AsBuiltOfNothing", "", "", "simulate -t t.yaml -w w.yaml --as-built q.json", "q.json: no such file"},
    // Further options.
    {"RanksWithLeadingZero", "", "", "run -w w.yaml --ranks 010",
     "--ranks: '010' is no plain whole number (digits alone: no sign, no leading zeros, no 0x)\nRun 'lockstep run "
     "--help' for the options."},
    {"RanksBeyondNumbers", "", "", "run -w w.yaml --ranks 99999999999",
     "--ranks 99999999999: no number, or too large a one\nRun 'lockstep run --help' for the options."},
    {"RanksBeyondTheMachine", "", "", "run -w w.yaml --ranks 4000",
     "4000 ranks are too many for one machine, 256 at most: a launcher (mpirun, srun, torchrun) starts them on "
     "several, and `lockstep simulate` predicts any number"},
    {"ReportOfASimulation", "", "", "simulate -t t.yaml -w w.yaml --report x.html",
     "unknown option '--report'; known: --help, --topology, --workload, --fidelity, --profile, --ranks, --as-built, "
     "--detail, --runs, --steady, --set, --json, --trace, --seed, --verbose, --quiet\nRun 'lockstep simulate --help' "
     "for the "
     "options."},
    {"TraceOfAComparison", "", "", "compare r.json m.json --trace x.json",
     "unknown option '--trace'; known: --help, --tolerance, --row-tolerance, --json, --report, --seed, --verbose, "
     "--quiet\nRun 'lockstep compare --help' for the options."},
    {"UnknownFlagOfTheProgram", "", "", "--nothing",
     "unknown option '--nothing'; known: --help, --version\nRun 'lockstep --help' for the options."},
    {"UnknownLetter", "", "", "simulate -t t.yaml -w w.yaml -x",
     "unknown option '-x'; known: --help, --topology, --workload, --fidelity, --profile, --ranks, --as-built, "
     "--detail, --runs, --steady, --set, --json, --trace, --seed, --verbose, --quiet\nRun 'lockstep simulate --help' "
     "for the "
     "options."},
    {"NoNestedCommand", "", "", "lab",
     "'lockstep lab' needs one of its commands: show, exec\nRun 'lockstep lab --help' for the options."},
    {"UnwritableLab", "", "", "lab show -t t.yaml --json nowhere/x",
     "--json nowhere/x: cannot be written: No such file or directory"},
};

INSTANTIATE_TEST_SUITE_P(All, WrongInputs, testing::ValuesIn(wrong_inputs),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace lockstep::test

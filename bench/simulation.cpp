// How quick is the simulator? CPU seconds on one core, medians of a few turns.
//
//   simulation [events|flows|ring|hierarchical|packets]... [--turns 3]
//
// events        event queue against std::priority_queue: a hold loop (take the earliest, put one later) at 10^3, 10^5
// and
//               10^6 pending events; times after now are uniform over the same span for both
// flows         flows of random permutations, all started at once, to completion over a fat tree of 1,024 hosts
// ring          ring all-reduce of 1 GiB over a star: every rank and step, and with folding and replay
// hierarchical  hierarchical all-reduce of 1 GiB in nodes of 8 ranks, over a star of hosts: from the topology's text on
// packets       a permutation of 2 MB messages over RoCE with PFC on fat trees of 128 to 1,024 hosts of 100 Gbit/s,
// packets
//               of 4 KiB, acknowledgements of 64 bytes; and a ring all-reduce of 8 MiB on 128 hosts
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <numeric>
#include <queue>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/hash.hpp"
#include "core/base/statistics.hpp"
#include "core/config/document.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/routing.hpp"
#include "core/workload/rows.hpp"
#include "core/workload/workload.hpp"
#include "sim/engine/event_queue.hpp"
#include "sim/executor.hpp"
#include "sim/network/flow.hpp"
#include "sim/network/packet/settings.hpp"

namespace {

using namespace lockstep;

double cpu_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

long peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

double timed(int turns, const std::function<void()>& work) {
  std::vector<double> times;
  for (int turn = 0; turn < turns; ++turn) {
    const double begin = cpu_s();
    work();
    times.push_back(cpu_s() - begin);
  }
  return median(times);
}

// --- Events ---

struct Random {
  std::uint64_t state = 1;
  std::int64_t operator()(std::int64_t below) {
    state += 0x9E3779B97F4A7C15ULL;
    return static_cast<std::int64_t>(mix64(state) % static_cast<std::uint64_t>(below));
  }
};

/// Of 0 ... n-1.
std::vector<int> permutation(int n, Random& random) {
  std::vector<int> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random(static_cast<std::int64_t>(i)))]);
  return order;
}

constexpr std::int64_t span = 1'000'000'000;

std::uint64_t hold_queue(std::size_t pending, std::size_t holds) {
  sim::EventQueue queue;
  Random random;
  for (std::size_t i = 0; i < pending; ++i) {
    sim::Event event;
    event.time = random(span);
    event.entity = static_cast<std::uint32_t>(i);
    queue.push(event);
  }
  std::vector<sim::Event> batch;
  std::uint64_t check = 0;
  for (std::size_t done = 0; done < holds;) {
    queue.next(batch);
    for (sim::Event event : batch) {
      check += static_cast<std::uint64_t>(event.time);
      event.time = queue.now() + 1 + random(span);
      ++event.counter;
      queue.push(event);
      ++done;
    }
  }
  return check;
}

struct Later {
  bool operator()(const sim::Event& a, const sim::Event& b) const {
    return std::tie(a.time, a.kind, a.entity, a.counter) > std::tie(b.time, b.kind, b.entity, b.counter);
  }
};

std::uint64_t hold_priority_queue(std::size_t pending, std::size_t holds) {
  std::priority_queue<sim::Event, std::vector<sim::Event>, Later> queue;
  Random random;
  for (std::size_t i = 0; i < pending; ++i) {
    sim::Event event;
    event.time = random(span);
    event.entity = static_cast<std::uint32_t>(i);
    queue.push(event);
  }
  std::uint64_t check = 0;
  for (std::size_t done = 0; done < holds; ++done) {
    sim::Event event = queue.top();
    queue.pop();
    check += static_cast<std::uint64_t>(event.time);
    event.time += 1 + random(span);
    ++event.counter;
    queue.push(event);
  }
  return check;
}

void events(int turns) {
  fmt::print("{:>10} {:>18} {:>18} {:>8}\n", "pending", "ours, 1e6/s", "priority_queue", "ratio");
  for (const std::size_t pending : {std::size_t{1'000}, std::size_t{100'000}, std::size_t{1'000'000}}) {
    const std::size_t holds = 4'000'000;
    volatile std::uint64_t sink = 0;
    const double ours = timed(turns, [&] { sink = hold_queue(pending, holds); });
    const double theirs = timed(turns, [&] { sink = hold_priority_queue(pending, holds); });
    fmt::print("{:>10} {:>18.1f} {:>18.1f} {:>8.2f}\n", pending, static_cast<double>(holds) / ours / 1e6,
               static_cast<double>(holds) / theirs / 1e6, theirs / ours);
  }
}

// --- Flows ---

/// One row.
Workload all_reduce(const std::string& algorithm, Bytes size) {
  Workload workload;
  workload.name = algorithm;
  CollectiveSpec spec;
  spec.algorithms = {algorithm};
  spec.sizes = {size};
  workload.collectives.push_back(spec);
  return workload;
}

Topology topology_of(const std::string& yaml) { return read_topology(config::parse_text(yaml, "bench"), "bench"); }

struct FlowRun {
  std::int64_t end = 0;
  std::uint64_t moments = 0;
  std::uint64_t filled = 0;
};

FlowRun permutations(const Topology& topology, const Routing& routing, int count, bool equal_sizes) {
  sim::FlowNetwork network;
  std::vector<double> rate(topology.resource_count());
  for (const Link& link : topology.links) rate[link.resource] = static_cast<double>(link.bandwidth.bits_per_second());
  for (const double bps : rate) network.add_resource(bps);
  const int hosts = topology.rank_capacity();
  Random random;
  for (int p = 0, started = 0; started < count; ++p) {
    const std::vector<int> order = permutation(hosts, random);
    for (int h = 0; h < hosts && started < count; ++h, ++started) {
      const int to = order[static_cast<std::size_t>(h)];
      const double bits = equal_sizes ? 8e6 : 8e5 * static_cast<double>(1 + random(20));
      if (to == h) continue;
      const auto links = routing.route(topology.endpoint(h), topology.endpoint(to), static_cast<std::uint64_t>(p));
      std::vector<sim::ResourceId> route;
      for (const LinkId link : links) route.push_back(topology.links[link].resource);
      network.start(network.add_route(route), bits, 0);
    }
  }
  FlowRun run;
  network.settle(0);
  while (network.next() != sim::FlowNetwork::never) {
    run.end = network.next();
    ++run.moments;
    network.take_due(run.end);
    network.settle(run.end);
  }
  run.filled = network.filled_routes();
  return run;
}

void flows(int turns) {
  const Topology topology = topology_of("generate: {fat_tree: {k: 16, link: {bandwidth: 100Gbps, latency: 500ns}}}\n");
  fmt::print("{:>10} {:>8} {:>10} {:>10} {:>14} {:>12}\n", "flows", "sizes", "CPU s", "moments", "routes filled",
             "makespan");
  for (const int count : {4'096, 10'240, 100'000})
    for (const bool equal : {true, false}) {
      if (!equal && count > 20'000) continue;  // takes half an hour
      FlowRun run;
      const Routing routing(topology);
      const double time = timed(equal ? turns : 1, [&] { run = permutations(topology, routing, count, equal); });
      fmt::print("{:>10} {:>8} {:>10.2f} {:>10} {:>14} {:>9.3f} ms\n", count, equal ? "equal" : "random", time,
                 run.moments, run.filled, static_cast<double>(run.end) * 1e-9);
    }
  fmt::print("peak {} MiB\n", peak_mib());
}

// --- Ring ---

void ring(int turns) {
  fmt::print("{:>8} {:>14} {:>10} {:>12} {:>14} {:>18}\n", "ranks", "", "CPU s", "events", "ranks run", "time");
  for (const int ranks : {1'024, 4'096})
    for (const bool shortcuts : {false, true}) {
      const Topology topology = topology_of(
          fmt::format("generate: {{star: {{hosts: {}, link: {{bandwidth: 240Gbps, latency: 500ns}}}}}}\n", ranks));
      const Workload workload = all_reduce("ring", 1_GiB);
      const Profile profile = ideal_profile();
      sim::SimulationStatistics statistics;
      const double time = timed(shortcuts ? std::max(turns, 5) : turns, [&] {
        const Routing routing(topology);
        const auto planned = plan_workload(workload, ranks);
        sim::SimulationOptions options;
        options.fold = options.replay = shortcuts;
        sim::SimulatedExecutor executor(topology, routing, profile, options);
        Timeline timeline;
        executor.execute(planned.plan, timeline);
        statistics = executor.statistics();
      });
      fmt::print("{:>8} {:>14} {:>10.3f} {:>12} {:>14} {:>15} ps\n", ranks, shortcuts ? "fold, replay" : "every step",
                 time, statistics.events, statistics.simulated_ranks, statistics.end.count());
    }
  fmt::print("peak {} MiB\n", peak_mib());
}

// --- Hierarchical ---

void hierarchical(int turns) {
  fmt::print("{:>8} {:>18} {:>10} {:>14} {:>12} {:>12} {:>18}\n", "ranks", "", "CPU s", "of it: files", "ranks run",
             "events", "time");
  struct Case {
    int ranks;
    bool gpus;  // eight to a machine, on rails; else hosts on a star
  };
  for (const auto [ranks, gpus] : {Case{4'096, false}, Case{65'536, false}, Case{4'096, true}, Case{65'536, true}}) {
    sim::SimulationStatistics statistics;
    double files = 0;
    const double time = timed(turns, [&] {
      const double begin = cpu_s();
      const Topology topology = topology_of(
          gpus ? fmt::format(
                     "node: hgx_h100\ngenerate: {{leaf_spine: {{nodes: {}, rails: 8, spines: 16, link: {{bandwidth: "
                     "400Gbps, latency: 500ns}}}}}}\n",
                     ranks / 8)
               : fmt::format("generate: {{star: {{hosts: {}, link: {{bandwidth: 400Gbps, latency: 500ns}}}}}}\n",
                             ranks));
      Workload workload = all_reduce("hierarchical", 1_GiB);
      workload.collectives.front().ranks_per_node = 8;
      const Routing routing(topology);
      const auto planned = plan_workload(workload, ranks);
      files = cpu_s() - begin;
      const Profile profile = ideal_profile();
      sim::SimulatedExecutor executor(topology, routing, profile, {});
      Timeline timeline;
      executor.execute(planned.plan, timeline);
      statistics = executor.statistics();
    });
    fmt::print("{:>8} {:>18} {:>10.3f} {:>14.3f} {:>12} {:>12} {:>15} ps\n", ranks,
               gpus ? "GPUs on rails" : "hosts on a star", time, files, statistics.simulated_ranks, statistics.events,
               statistics.end.count());
  }
  fmt::print("peak {} MiB\n", peak_mib());
}

// --- Packets ---

Profile roce_profile() {
  Profile profile = ideal_profile();
  profile.tcp.framing = {Bytes{0}, Bytes{98}, Bytes{64}, Bytes{0}};
  return profile;
}

void packets(int turns) {
  fmt::print("{:>8} {:>10} {:>14} {:>14} {:>10} {:>10} {:>12} {:>8}\n", "hosts", "CPU s", "packet-hops", "1e6 hops/s",
             "events", "pauses", "makespan", "MiB");
  for (const int k : {8, 12, 16}) {
    const Topology topology = topology_of(fmt::format(
        "generate: {{fat_tree: {{k: {}, link: {{bandwidth: 100Gbps, latency: 500ns, kind: roce}}}}}}\n", k));
    const Routing routing(topology);
    const int hosts = topology.rank_capacity();
    std::uint64_t hops = 0, events = 0, pauses = 0;
    std::int64_t end = 0;
    std::size_t memory = 0;
    const double time = timed(turns, [&] {
      const auto network = sim::packet::make_transport(topology, RoutingMode::ecmp, roce_profile(), 1);
      Random random;
      const std::vector<int> order = permutation(hosts, random);
      for (int h = 0; h < hosts; ++h) {
        const int to = order[static_cast<std::size_t>(h)];
        if (to == h) continue;
        const auto connection = network->connect(routing, topology.endpoint(h), topology.endpoint(to), 0, 0);
        network->send(connection, 2'000'000, static_cast<std::uint32_t>(h), 0);
      }
      while (network->next_time() != sim::packet::Fabric::never) {
        end = network->run(sim::packet::Fabric::never - 1);
        network->notices().clear();
        if (network->idle()) break;
      }
      hops = network->fabric().hops();
      events = network->fabric().events();
      pauses = 0;
      for (sim::packet::PortId port = 0; port < network->fabric().port_count(); ++port)
        pauses += network->fabric().statistics(port).pauses;
      memory = network->fabric().bytes();
    });
    fmt::print("{:>8} {:>10.2f} {:>14} {:>14.2f} {:>10} {:>10} {:>9.3f} ms {:>8}\n", hosts, time, hops,
               static_cast<double>(hops) / time / 1e6, events, pauses, static_cast<double>(end) * 1e-9, memory >> 20);
  }
  const Topology topology =
      topology_of("generate: {fat_tree: {k: 8, link: {bandwidth: 100Gbps, latency: 500ns, kind: roce}}}\n");
  const Routing routing(topology);
  const auto planned = plan_workload(all_reduce("ring", 8_MiB), 128);
  const Profile profile = roce_profile();
  std::uint64_t hops = 0;
  std::int64_t end = 0;
  const double time = timed(turns, [&] {
    sim::SimulationOptions options;
    options.packets = sim::SimulationOptions::Packets::all;
    sim::SimulatedExecutor executor(topology, routing, profile, options);
    Timeline timeline;
    executor.execute(planned.plan, timeline);
    hops = executor.statistics().network["packet_hops"].get<std::uint64_t>();
    end = executor.statistics().end.count();
  });
  fmt::print("ring all-reduce of 8 MiB, 128 hosts: {:.2f} CPU s, {} packet-hops, {:.3f} ms\n", time, hops,
             static_cast<double>(end) * 1e-9);
  fmt::print("peak {} MiB\n", peak_mib());
}

}  // namespace

int main(int argc, char** argv) {
  int turns = 3;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--turns" && i + 1 < argc)
      turns = std::max(1, std::atoi(argv[++i]));
    else
      names.push_back(argument);
  }
  if (names.empty()) names = {"events", "flows", "ring", "hierarchical", "packets"};
  for (const std::string& name : names) {
    fmt::print("== {}\n", name);
    if (name == "events")
      events(turns);
    else if (name == "flows")
      flows(turns);
    else if (name == "ring")
      ring(turns);
    else if (name == "hierarchical")
      hierarchical(turns);
    else if (name == "packets")
      packets(turns);
    else {
      fmt::print(stderr, "unknown part '{}'; known: events, flows, ring, hierarchical, packets\n", name);
      return 2;
    }
    std::fflush(stdout);
  }
  return 0;
}

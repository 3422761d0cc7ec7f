#include "real/lab/measurement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/collective/walk.hpp"
#include "core/config/document.hpp"
#include "real/lab/cpu_load.hpp"
#include "real/lab/isolate.hpp"
#include "real/lab/job.hpp"
#include "real/lab/network.hpp"
#include "real/lab/wire_check.hpp"
#include "real/launch/local.hpp"
#include "real/measure/mpirun.hpp"
#include "real/transport/catalogue.hpp"

namespace lockstep::real {
namespace {

constexpr Bytes native_message{4096};  // of a library's own collective to each other rank, beside the data

class PlannedTraffic {
 public:
  PlannedTraffic(const Topology& topology, const Routing& routing, const Plan& plan)
      : topology_(topology), routing_(routing), plan_(plan), links_(topology.links.size()) {}

  void add_plan() {
    for (std::uint32_t role = 0; role < plan_.roles.size(); ++role) {
      std::vector<Rank> ranks;
      for (Rank rank = 0; rank < plan_.ranks; ++rank)
        if (plan_.role_index(rank) == role) ranks.push_back(rank);
      for (const auto& stream : plan_.roles[role].streams) add(stream.items, ranks, 1);
    }
  }
  // Meetings and reports: through rank 0, over the same links.
  void add_control(const std::vector<Control::Traffic>& control) {
    for (std::size_t rank = 0; rank < control.size(); ++rank) {
      const auto& with = control[rank];
      const auto other = static_cast<Rank>(rank);
      add_messages(0, other, static_cast<std::int64_t>(with.bytes_sent), static_cast<std::int64_t>(with.frames_sent));
      add_messages(other, 0, static_cast<std::int64_t>(with.bytes_received),
                   static_cast<std::int64_t>(with.frames_received));
    }
  }
  [[nodiscard]] std::vector<LinkTraffic> take() { return std::move(links_); }

 private:
  void add_messages(Rank from, Rank to, std::int64_t bytes, std::int64_t messages) {
    if (from == to) return;
    for (const LinkId link : routing_.route(topology_.endpoint(from), topology_.endpoint(to))) {
      links_[link].payload += Bytes{bytes};
      links_[link].messages += messages;
    }
  }
  // Of a library's own collective the plan knows the least alone: where every rank has something of its own for the
  // others, at least its share of the data. At most twice all data to everybody else.
  void add_native(const Collective& collective, const std::vector<Rank>& ranks, std::int64_t times) {
    const bool all_send =
        collective.kind == CollectiveKind::all_reduce || collective.kind == CollectiveKind::all_gather ||
        collective.kind == CollectiveKind::reduce_scatter || collective.kind == CollectiveKind::all_to_all;
    for (const Rank rank : ranks) {
      const auto place = plan_.groups[collective.group].place_of(rank);
      if (place.instance < 0 || place.size < 2) continue;
      for (int index = 0; index < place.size; ++index) {
        const Rank other = plan_.groups[collective.group].member(place.instance, index);
        if (other == rank) continue;
        for (const LinkId link : routing_.route(topology_.endpoint(rank), topology_.endpoint(other)))
          links_[link].more += (2 * collective.target_size() + native_message) * times;
      }
      if (!all_send) continue;
      const auto own = topology_.links_from(topology_.endpoint(rank));
      if (own.size() == 1) links_[own.front()].payload += collective.size() / place.size * times;
    }
  }
  void add(const std::vector<Item>& items, const std::vector<Rank>& ranks, std::int64_t times) {
    for (const auto& item : items) {
      if (const auto* repeat = std::get_if<Repeat>(&item)) {
        add(repeat->body, ranks, times * repeat->count);
        continue;
      }
      const Action& action = std::get<Operation>(item).action;
      if (const auto* send = std::get_if<Send>(&action)) {
        for (const Rank rank : ranks)
          add_messages(rank, peer_rank(plan_, rank, send->to), send->span.bytes.count() * times, times);
      } else if (const auto* collective = std::get_if<Collective>(&action)) {
        if (collective->algorithm == "native") {
          add_native(*collective, ranks, times);
          continue;
        }
        for (const auto& pair : traffic_of(plan_, *collective))
          if (std::binary_search(ranks.begin(), ranks.end(), pair.from))
            add_messages(pair.from, pair.to, pair.bytes * times, pair.messages * times);
      }
    }
  }
  const Topology& topology_;
  const Routing& routing_;
  const Plan& plan_;
  std::vector<LinkTraffic> links_;
};

// What mpirun gets to know of the lab: which rank runs in which host, and how to start its daemons there.
MpirunJob mpirun_in(const LabNetwork& network, const Topology& topology, int ranks, const std::string& program) {
  const std::string agent = "/run/lockstep-start-in-host";
  {
    std::ofstream script(agent);
    // Daemons that share a folder, as hosts never do, crash now and then while they begin.
    script << "#!/bin/sh\nhost=$1\nshift\nTMPDIR=/run/files-of-$host\nexport TMPDIR\nmkdir -p $TMPDIR\n"
              "exec ip netns exec \"$host\" sh -c \"$*\"\n";
  }
  if (std::ifstream(agent).peek() != '#') throw RunFailure(fmt::format("cannot write {}", agent));
  std::filesystem::permissions(agent, std::filesystem::perms::owner_all);
  MpirunJob job;
  job.folder = "/run";
  job.program = program;
  std::vector<std::string> hosts;
  for (int rank = 0; rank < ranks; ++rank) hosts.push_back(topology.devices[topology.endpoint(rank)].name + ":1");
  // Ranks sleep nowhere in MPI: they give the few cores away while they wait. Over the links alone, without shortcuts
  // through shared memory.
  for (const char* argument : {"--mca",
                               "plm_rsh_agent",
                               agent.c_str(),
                               "--mca",
                               "plm_rsh_no_tree_spawn",
                               "1",
                               "--mca",
                               "pml",
                               "ob1",
                               "--mca",
                               "btl",
                               "tcp,self",
                               "--mca",
                               "mpi_yield_when_idle",
                               "1",
                               "--mca",
                               "btl_tcp_if_exclude",
                               "lo",
                               "--bind-to",
                               "none"})
    job.arguments.emplace_back(argument);
  job.arguments.insert(job.arguments.end(), {"--host", join(hosts, ",")});
  job.master_address = network.address(0);
  job.master_port = lab_port;
  job.enter = [&network] { network.enter_host(0); };
  return job;
}

// Every bucket is full again and the queues are empty by then, also those of links that a fault leaves `least_share`.
std::chrono::nanoseconds refill_time(const std::vector<Shaping>& shaping, double least_share) {
  Duration longest{0};
  for (const auto& link : shaping) longest = std::max(longest, transfer_time(link.burst, link.rate));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(longest / least_share);
}

double least_share(const std::vector<ResolvedFault>& faults) {
  double share = 1;
  for (const auto& fault : faults) share = std::min(share, fault.fault.effects.bandwidth.value_or(1.0));
  return share;
}

// What a fault loses is sent again, over every link of the way, and with it what TCP takes for lost besides. Links that
// are down or slow lose nothing.
WireCheckOptions wire_options(const TransportKind& transport, const std::vector<ResolvedFault>& faults) {
  WireCheckOptions options;
  options.message = Bytes{transport.message_bytes};
  options.message_acknowledged = Bytes{transport.acknowledged_bytes};
  double loss = 0;
  for (const auto& fault : faults) loss = std::max(loss, fault.fault.effects.loss.value_or(0));
  options.overhead += 2 * loss / (1 - loss);
  return options;
}

bool counts_sections(const std::vector<Item>& items) {
  return std::any_of(items.begin(), items.end(), [](const Item& item) {
    if (const auto* repeat = std::get_if<Repeat>(&item)) return counts_sections(repeat->body);
    const auto* mark = std::get_if<Mark>(&std::get<Operation>(item).action);
    return mark != nullptr && mark->together && mark->common_start;
  });
}

// The clock of faults runs between a common start and the next meeting: without any it would never run.
void require_sections(const Plan& plan) {
  for (const auto& role : plan.roles)
    if (std::none_of(role.streams.begin(), role.streams.end(),
                     [](const Stream& stream) { return counts_sections(stream.items); }))
      throw InputError("faults: the lab counts their time from a common start of the ranks, and the plan has none");
}

}  // namespace

void refuse_impossible_faults(const std::vector<ResolvedFault>& faults) {
  config::Diagnostics findings;
  const auto to_links = [](const FaultEffects& effects) {
    return effects.bandwidth || effects.down || effects.loss || effects.jitter;
  };
  if (std::none_of(faults.begin(), faults.end(),
                   [&](const ResolvedFault& resolved) { return to_links(resolved.fault.effects); }))
    return;
  const bool packets =
      run_isolated({}, [](const Isolation&) { return std::string(DelayLine::possible() ? "yes" : "no"); }) == "yes";
  for (const auto& [fault, targets] : faults) {
    if (to_links(fault.effects) && !packets)
      findings.error(fault.position,
                     "the lab changes links by packet sockets, and this machine refuses them; it can slow and kill "
                     "ranks");
    else if (fault.effects.jitter && *fault.effects.jitter < least_relayed_delay)
      findings.error(fault.position,
                     fmt::format("the lab cannot make a jitter of {}: the process that delays frames is late by a part "
                                 "of {} itself, which is the least; `lockstep simulate` predicts it",
                                 format_duration(*fault.effects.jitter), format_duration(least_relayed_delay)));
  }
  findings.throw_if_errors();
}

namespace {

Measurement measure_inside(const Topology& topology, const Routing& routing, const Plan& plan,
                           MeasurementOptions options, const LabFaults& faults) {
  if (plan.ranks > topology.rank_capacity())
    throw InputError(fmt::format("{} ranks do not fit: topology '{}' has places for {}", plan.ranks, topology.name,
                                 topology.rank_capacity()));
  // Inside, /proc may be another one.
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  if (!faults.faults.empty()) require_sections(plan);
  const TransportKind& transport = find_transport(options.transport);
  if (!faults.faults.empty() && !transport.own_ranks)
    throw InputError(
        fmt::format("the lab applies faults to ranks that it starts itself, not to those of mpirun "
                    "(--transport {})",
                    options.transport));
  const std::string text = run_isolated({}, [&](const Isolation& isolation) {
    const LabNetwork network(topology, routing, isolation, {.relayed = links_to_relay(faults.faults)});
    std::optional<SectionClock> clock;
    std::optional<FaultAgent> agent;
    if (!faults.faults.empty()) {
      clock.emplace(plan.ranks);
      agent.emplace(network, faults, *clock);
      options.executor.on_section_start = [&clock](WallClock::time_point start) { clock->begin(start); };
      options.executor.on_section_end = [&clock] { clock->arrive(); };
    }
    options.executor.quiet = std::max<std::chrono::nanoseconds>(
        options.executor.quiet, 2 * refill_time(network.shaping(), least_share(faults.faults)) +
                                    std::chrono::milliseconds(1) +
                                    // The last to hear of a common start must hear of it before its instant.
                                    std::chrono::duration_cast<std::chrono::nanoseconds>(network.longest_round_trip()));
    options.same_machine = true;
    options.machine_is_network = true;
    options.cores = usable_cores();
    LocalRanks ranks;
    ranks.count = plan.ranks;
    ranks.enter = [&](int rank) {
      network.enter_host(rank);
      // Left alone, UCX finds that all hosts share one memory. Who sets it otherwise learns from the wire's bytes.
      ::setenv("UCX_TLS", "tcp,self", 0);
      if (transport.module == "ucx") show_own_interfaces();
    };
    ranks.environment = [&](int rank) { return lab_job(network, rank, plan.ranks); };
    ranks.body = [&](const JobEnvironment& environment) {
      if (agent) agent->am_rank(environment.rank);
      return measure_rank(environment, plan, options);
    };
    const auto before = network.snapshot();
    std::string measured;
    try {
      measured = transport.own_ranks
                     ? run_local_ranks(ranks)
                     : measure_with_mpirun(mpirun_in(network, topology, plan.ranks, program), plan, options).measured;
    } catch (const RunFailure& failure) {
      network.check();  // the cause, rather than its consequences
      if (!agent) throw;
      agent->check();
      throw RunFailure(agent->explained(failure.what()));
    }
    network.check();
    if (agent) agent->check();
    const auto wire = LabNetwork::difference(before, network.snapshot());
    PlannedTraffic traffic(topology, routing, plan);
    traffic.add_plan();
    traffic.add_control(parse_measurement(measured).control);
    const auto findings = check_wire(topology, traffic.take(), wire, wire_options(transport, faults.faults));
    if (!findings.empty())
      throw RunFailure("the measurement is invalid, the wire did not carry what the plan says:\n" +
                       join(findings, "\n"));
    nlohmann::ordered_json all{{"measured", measured}, {"as_built", network.as_built(wire)}};
    if (agent) {
      all["as_built"]["faults"] = agent->as_built();
      if (const auto more = agent->not_listed(); more > 0)
        all["as_built"]["notes"].push_back(fmt::format("{} more faults came than 'faults' lists", more));
    }
    return all.dump();
  });
  const auto all = nlohmann::ordered_json::parse(text);
  Measurement measurement = parse_measurement(all.at("measured").get<std::string>());
  measurement.as_built = all.at("as_built");
  measurement.as_built["load_average"] = measurement.load_average;
  return measurement;
}

}  // namespace

Measurement measure_in_lab(const Topology& topology, const Routing& routing, const Plan& plan,
                           const MeasurementOptions& options, const LabFaults& faults) {
  return keep_if_it_fails(options, [&](const MeasurementOptions& keeping) {
    return measure_inside(topology, routing, plan, keeping, faults);
  });
}

}  // namespace lockstep::real

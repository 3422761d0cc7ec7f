#include "real/lab/measurement.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/collective/walk.hpp"
#include "real/lab/cpu_load.hpp"
#include "real/lab/isolate.hpp"
#include "real/lab/network.hpp"
#include "real/lab/wire_check.hpp"
#include "real/launch/local.hpp"

namespace lockstep::real {
namespace {

constexpr std::uint16_t lab_port = 29500;  // inside the lab's own network namespaces nothing else listens

void add_items(const Topology& topology, const Routing& routing, const Plan& plan, const std::vector<Item>& items,
               std::int64_t times, std::vector<Bytes>& bytes) {
  for (const auto& item : items) {
    if (const auto* repeat = std::get_if<Repeat>(&item)) {
      add_items(topology, routing, plan, repeat->body, times * repeat->count, bytes);
      continue;
    }
    const auto* collective = std::get_if<Collective>(&std::get<Operation>(item).action);
    if (collective == nullptr) continue;
    for (const auto& pair : traffic_of(plan, *collective))
      for (const LinkId link : routing.route(topology.endpoint(pair.from), topology.endpoint(pair.to)))
        bytes[link] += Bytes{pair.bytes * times};
  }
}

// Every bucket is full again and the queues are empty by then.
std::chrono::nanoseconds refill_time(const std::vector<Shaping>& shaping) {
  Duration longest{0};
  for (const auto& link : shaping) longest = std::max(longest, transfer_time(link.burst, link.rate));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(longest);
}

}  // namespace

std::vector<Bytes> planned_link_bytes(const Topology& topology, const Routing& routing, const Plan& plan) {
  std::vector<Bytes> bytes(topology.links.size());
  for (const auto& role : plan.roles)
    for (const auto& stream : role.streams) add_items(topology, routing, plan, stream.items, 1, bytes);
  return bytes;
}

Measurement measure_in_lab(const Topology& topology, const Routing& routing, const PlannedWorkload& planned,
                           MeasurementOptions options) {
  if (planned.plan.ranks > topology.rank_capacity())
    throw InputError(fmt::format("{} ranks do not fit: topology '{}' has places for {}", planned.plan.ranks,
                                 topology.name, topology.rank_capacity()));
  const std::string text = run_isolated({}, [&](const Isolation& isolation) {
    const LabNetwork network(topology, routing, isolation);
    options.executor.quiet = std::max<std::chrono::nanoseconds>(
        options.executor.quiet, 2 * refill_time(network.shaping()) + std::chrono::milliseconds(1));
    options.same_machine = true;
    options.cores = usable_cores();
    LocalRanks ranks;
    ranks.count = planned.plan.ranks;
    ranks.enter = [&](int rank) { network.enter_host(rank); };
    ranks.environment = [&](int rank) {
      JobEnvironment environment;
      environment.rank = rank;
      environment.size = planned.plan.ranks;
      environment.master_address = network.address(0);
      environment.master_port = lab_port;
      environment.own_address = network.address(rank);
      environment.launcher = "lab";
      return environment;
    };
    ranks.body = [&](const JobEnvironment& environment) { return measure_rank(environment, planned, options); };
    const auto before = network.snapshot();
    const std::string measured = run_local_ranks(ranks);
    const auto wire = LabNetwork::difference(before, network.snapshot());
    const auto findings = check_wire(topology, planned_link_bytes(topology, routing, planned.plan), wire);
    if (!findings.empty())
      throw RunFailure("the measurement is invalid, the wire did not carry what the plan says:\n" +
                       join(findings, "\n"));
    nlohmann::ordered_json all{{"measured", measured}, {"as_built", network.as_built(wire)}};
    return all.dump();
  });
  const auto all = nlohmann::ordered_json::parse(text);
  Measurement measurement = parse_measurement(planned, all.at("measured").get<std::string>());
  measurement.result.as_built = all.at("as_built");
  measurement.result.as_built["load_average"] = measurement.result.run.at("load_average");
  return measurement;
}

}  // namespace lockstep::real

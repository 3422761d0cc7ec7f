// Does a collective run to its end over every topology of the repository, and not faster than its links allow?
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/profile/profile.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"
#include "sim/simulate.hpp"

namespace lockstep::sim {
namespace {

std::vector<std::string> topology_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(LOCKSTEP_SOURCE_DIR "/topologies"))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().stem().string());
  std::sort(files.begin(), files.end());
  return files;
}

class EveryTopology : public testing::TestWithParam<std::string> {};

TEST_P(EveryTopology, CarriesAnAllReduceNoFasterThanItsLinks) {
  const Topology topology = load_topology(LOCKSTEP_SOURCE_DIR "/topologies/" + GetParam() + ".yaml");
  const int ranks = topology.rank_capacity();
  const Workload workload = read_workload(
      config::parse_text(
          "name: w\ncollectives: [{kind: all_reduce, algorithm: ring, size: 1MiB, type: float32}]\niterations: "
          "1\nwarmup: 0\n",
          "w.yaml"),
      "w.yaml");
  const PlannedWorkload planned = plan_workload(workload, ranks);
  const Routing routing(topology);
  Bandwidth fastest;
  for (const Link& link : topology.links) fastest = std::max(fastest, link.bandwidth);
  const double at_least = 2.0 * (ranks - 1) / ranks * (1 << 20) * 8 / static_cast<double>(fastest.bits_per_second());
  for (const Fidelity& fidelity : fidelity_catalogue()) {
    Timeline timeline;
    const Prediction prediction = fidelity.predict(topology, routing, ideal_profile(), planned, timeline);
    ASSERT_EQ(prediction.collectives.size(), 1U);
    EXPECT_GT(prediction.collectives[0].time_s, at_least) << fidelity.name;
    EXPECT_LT(prediction.collectives[0].time_s, 10.0) << fidelity.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Topologies, EveryTopology, testing::ValuesIn(topology_files()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace lockstep::sim

// Can a check of a lab run fail, and does it pass when it should? Slow: real networks, with transfers long enough for
// the rate to show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/cli/command.hpp"

namespace lockstep::test {
namespace {

using Json = nlohmann::ordered_json;

class LabCheck : public testing::Test {
 protected:
  LabCheck() {
    folder_.write("t.yaml", "name: star\ngenerate: {star: {hosts: 4, link: {bandwidth: 500Mbps, latency: 0us}}}\n");
    folder_.write(
        "w.yaml",
        "name: large\ncollectives:\n  - {kind: all_reduce, algorithm: [ring, halving_doubling], sizes: [1MiB, "
        "2MiB]}\niterations: 3\nwarmup: 1\n");
    // Headers alone: at these sizes a link's rate is all that matters.
    folder_.write("p.yaml",
                  "name: headers\ntcp: {framing: {packet_header: 52B, frame_header: 14B}, message_header: 16B}\n");
  }
  [[nodiscard]] Outcome run(const std::string& line) const {
    return lockstep_line(line, {folder_.path(), {{"XDG_CACHE_HOME", folder_.path()}}}, std::chrono::seconds(120));
  }
  [[nodiscard]] bool refused() const {
    const Outcome measured = run("run -t t.yaml -w w.yaml --backend lab --json measured.json");
    if (measured.errors.find("this machine refuses them") != std::string::npos) return true;
    EXPECT_EQ(measured.code, 0) << measured.errors;
    return false;
  }
  const Folder folder_;
};

TEST_F(LabCheck, ABandwidthTenPercentOffForThePredictorAloneIsAnError) {
  if (refused()) GTEST_SKIP() << "this machine refuses namespaces";
  const auto compared = [&](const std::string& bandwidth) {
    EXPECT_EQ(run("simulate -t t.yaml -w w.yaml -p p.yaml --json predicted.json --set "
                  "topology.generate.star.link.burst=62500B --set topology.generate.star.link.bandwidth=" +
                  bandwidth)
                  .code,
              0);
    return run("compare predicted.json measured.json --tolerance 5% --json comparison.json");
  };
  const Outcome right = compared("500Mbps");
  EXPECT_EQ(right.code, 0) << right.output << right.errors;
  for (const auto& [bandwidth, error] : {std::pair("450Mbps", 1 / 0.9 - 1), std::pair("550Mbps", 1 / 1.1 - 1)}) {
    const Outcome wrong = compared(bandwidth);
    EXPECT_EQ(wrong.code, 1) << wrong.output;
    const Json comparison = Json::parse(folder_.read("comparison.json"));
    EXPECT_NEAR(comparison["median_error"].get<double>(), std::abs(error), 0.04) << bandwidth;
    for (const Json& row : comparison["rows"])
      EXPECT_EQ(row["signed_error"].get<double>() > 0, error > 0) << bandwidth << row["name"];
  }
}

TEST_F(LabCheck, AsBuiltPredictsTheNetworkThatWasMeasured) {
  if (refused()) GTEST_SKIP() << "this machine refuses namespaces";
  // The file says something else; what was built counts.
  EXPECT_EQ(run("simulate -t t.yaml -w w.yaml -p p.yaml --as-built measured.json --json predicted.json --set "
                "topology.generate.star.link.bandwidth=10Gbps")
                .code,
            0);
  const Outcome compared = run("compare predicted.json measured.json --tolerance 5%");
  EXPECT_EQ(compared.code, 0) << compared.output << compared.errors;
}

TEST_F(LabCheck, ManySmallMessagesAreNoReasonToDoubtTheWire) {
  folder_.write("small.yaml",
                "name: small\ncollectives:\n  - {kind: all_reduce, algorithm: [ring, tree, halving_doubling, "
                "recursive_doubling], sizes: [64B, 1KiB, 16KiB]}\niterations: 20\nwarmup: 5\n");
  const Outcome measured =
      run("run -t t.yaml -w small.yaml --backend lab --set topology.generate.star.hosts=8 --json measured.json");
  if (measured.errors.find("this machine refuses them") != std::string::npos) GTEST_SKIP() << measured.errors;
  EXPECT_EQ(measured.code, 0) << measured.errors;
  const Json result = Json::parse(folder_.read("measured.json"), nullptr, false);
  for (const Json& row : result["collectives"]) EXPECT_EQ(row["wrong"], 0) << row;
}

}  // namespace
}  // namespace lockstep::test

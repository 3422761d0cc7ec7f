// The section `nccl:` of a profile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/profiles.hpp"

namespace lockstep {
namespace {

using test::profile_error;
using test::profile_in;

TEST(NcclProfile, TheBuiltInOneHasTheSectionAndNoFile) {
  const Profile profile = load_profile("nccl");
  EXPECT_EQ(profile.name, "nccl");
  EXPECT_EQ(profile.file, "");
  ASSERT_TRUE(profile.nccl);
  EXPECT_EQ(profile.nccl->scale, 1.0);
  EXPECT_FALSE(load_profile("ideal").nccl);
}

TEST(NcclProfile, WrittenAndReadBack) {
  const std::string text =
      "name: site\nnccl: {version: \"2.21.5\", processes: one_per_node, cpu: arm, transport_latency: 12us, "
      "nic_bandwidth: 48.5GB/s, framework_overhead: 20us, channels: 16, nvls: false, algorithms: [ring, tree], "
      "protocols: Simple, offset: 3us, scale: 1.05}\n";
  const Profile first = profile_in(text);
  const Profile second = profile_in(to_yaml(first));
  ASSERT_TRUE(second.nccl);
  const NcclProfile& read = *second.nccl;
  EXPECT_EQ(read.version, "2.21.5");
  EXPECT_EQ(read.processes, NcclProfile::Processes::one_per_node);
  EXPECT_EQ(read.cpu, NcclProfile::Cpu::arm);
  EXPECT_EQ(read.transport_latency, microseconds(12));
  EXPECT_EQ(read.nic_bandwidth, Bandwidth::bytes_per_second(48'500'000'000));
  EXPECT_EQ(read.framework_overhead, microseconds(20));
  EXPECT_EQ(read.channels, 16);
  EXPECT_EQ(read.nvls, false);
  EXPECT_THAT(read.algorithms, testing::ElementsAre("ring", "tree"));
  EXPECT_THAT(read.protocols, testing::ElementsAre("Simple"));
  EXPECT_EQ(read.offset, microseconds(3));
  EXPECT_DOUBLE_EQ(read.scale, 1.05);
}

TEST(NcclProfile, WrongValues) {
  EXPECT_EQ(profile_error("name: p\nnccl: {algorithms: [rng]}\n"),
            "p.yaml:2:21: unknown NCCL algorithm 'rng'; did you mean 'ring'? known: ring, tree, nvls, nvls_tree, pat");
  EXPECT_EQ(profile_error("name: p\nnccl: {protocols: ll}\n"),
            "p.yaml:2:19: unknown NCCL protocol 'll'; known: LL, LL128, Simple");
  EXPECT_THAT(profile_error("name: p\nnccl: {transport_latency: 12}\n"), testing::StartsWith("p.yaml:2:27: "));
  EXPECT_THAT(profile_error("name: p\nnccl: {scale: 0}\n"), testing::StartsWith("p.yaml:2:15: "));
  EXPECT_THAT(profile_error("name: p\nnccl: {ofset: 1us}\n"), testing::HasSubstr("did you mean 'offset'?"));
}

}  // namespace
}  // namespace lockstep

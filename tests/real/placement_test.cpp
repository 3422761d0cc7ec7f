// Question: which GPU does a rank take, what are CUDA and NCCL told, and what does one who has no GPU read?
#include "real/gpu/placement.hpp"

#include <gtest/gtest.h>

#include "core/base/error.hpp"

namespace lockstep::real::gpu {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

std::vector<VisibleDevices> ranks_on(const std::string& machine, int ranks, const std::vector<std::string>& devices) {
  return {static_cast<std::size_t>(ranks), VisibleDevices{machine, devices}};
}

std::vector<VisibleDevices> operator+(std::vector<VisibleDevices> a, const std::vector<VisibleDevices>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Placement, ARankOfTheMachineTakesTheDeviceOfItsNumber) {
  const auto all = ranks_on("a", 2, {"a0", "a1"}) + ranks_on("b", 2, {"b0", "b1"});
  for (const int rank : {0, 1, 2, 3}) {
    const Placement placement = place_rank(all, rank);
    EXPECT_EQ(placement.device, rank % 2);
    EXPECT_TRUE(placement.sharing.empty());
    EXPECT_FALSE(placement.machine_shares);
    EXPECT_FALSE(placement.one_machine);
    EXPECT_EQ(nccl_environment(placement, rank, 1), Settings{});
  }
}

TEST(Placement, RanksOfTwoMachinesMayAlternate) {
  std::vector<VisibleDevices> all;
  for (int rank = 0; rank < 4; ++rank)
    all.push_back(rank % 2 == 0 ? VisibleDevices{"a", {"a0", "a1"}} : VisibleDevices{"b", {"b0", "b1"}});
  EXPECT_EQ(place_rank(all, 0).device, 0);
  EXPECT_EQ(place_rank(all, 1).device, 0);
  EXPECT_EQ(place_rank(all, 2).device, 1);
  EXPECT_EQ(place_rank(all, 3).device, 1);
  EXPECT_FALSE(place_rank(all, 3).machine_shares);
}

TEST(Placement, ALauncherMayShowEachRankItsOwnDevice) {
  const std::vector<VisibleDevices> all{{"a", {"a0"}}, {"a", {"a1"}}, {"a", {"a2"}}};
  for (const int rank : {0, 1, 2}) {
    EXPECT_EQ(place_rank(all, rank).device, 0);
    EXPECT_FALSE(place_rank(all, rank).machine_shares);
    EXPECT_TRUE(place_rank(all, rank).one_machine);
  }
}

TEST(Placement, RanksThatShareADevicePassForHostsOfTheirOwn) {
  const auto all = ranks_on("a", 3, {"a0", "a1"});
  EXPECT_EQ(place_rank(all, 0).sharing, std::vector<int>{2});
  EXPECT_EQ(place_rank(all, 1).sharing, std::vector<int>{});
  EXPECT_EQ(place_rank(all, 2).sharing, std::vector<int>{0});
  EXPECT_EQ(place_rank(all, 2).device, 0);
  // The rank that has a device for itself as well: else NCCL would see two kinds of ways on one machine.
  for (const int rank : {0, 1, 2}) {
    const Settings expected{{"NCCL_HOSTID", "lockstep-2a-rank" + std::to_string(rank)},
                            {"NCCL_NET", "Socket"},
                            {"NCCL_SOCKET_IFNAME", "lo"}};
    EXPECT_EQ(nccl_environment(place_rank(all, rank), rank, 42), expected);
  }
}

TEST(Placement, WithAnotherMachineTheNetworkIsNotTheLoopbackDevice) {
  const auto all = ranks_on("a", 2, {"a0"}) + ranks_on("b", 1, {"b0"});
  EXPECT_EQ(nccl_environment(place_rank(all, 1), 1, 1), (Settings{{"NCCL_HOSTID", "lockstep-1-rank1"}}));
  EXPECT_EQ(nccl_environment(place_rank(all, 2), 2, 1), Settings{});
}

TEST(Placement, ARankWithoutADeviceIsNamed) {
  const auto all = ranks_on("a", 1, {"a0"}) + ranks_on("b", 1, {});
  try {
    static_cast<void>(place_rank(all, 1));
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "rank 1 sees no CUDA device");
  }
}

TEST(Placement, WhatARankSeesTravelsAsText) {
  for (const VisibleDevices& visible : {VisibleDevices{"host 1234", {"GPU-0", "GPU-1"}}, VisibleDevices{"host", {}}})
    EXPECT_EQ(visible_devices_in(to_text(visible)), visible);
  EXPECT_THROW(visible_devices_in(""), RunFailure);
  EXPECT_THROW(visible_devices_in("host\n\nGPU-1"), RunFailure);
}

TEST(Placement, AllMessagesOfADeviceFitOnItAtOnce) {
  EXPECT_EQ(blocks_per_channel(132, 2, 1), 16);  // a ring
  EXPECT_EQ(blocks_per_channel(132, 14, 1), 4);  // all to all of eight ranks
  EXPECT_EQ(blocks_per_channel(132, 14, 8), 1);
  EXPECT_EQ(blocks_per_channel(132, 1000, 1), 1);
  EXPECT_EQ(blocks_per_channel(132, 0, 1), 16);
  for (int channels = 1; channels <= 66; ++channels)
    EXPECT_LE(blocks_per_channel(132, channels, 1) * channels, 66) << channels;
}

TEST(Placement, WhatIsMissingIsNamedWithItsRemedy) {
  EXPECT_EQ(what_nccl_lacks("", ""), "");
  EXPECT_EQ(what_nccl_lacks("no CUDA-capable device is detected", ""),
            "no usable GPU: no CUDA-capable device is detected (an NVIDIA GPU and its driver, package nvidia-driver; "
            "nvidia-smi shows both)");
  EXPECT_EQ(
      what_nccl_lacks("NVIDIA's driver is not here", "libnccl.so.2: not found"),
      "no usable GPU: NVIDIA's driver is not here (an NVIDIA GPU and its driver, package nvidia-driver; nvidia-smi "
      "shows both); no NCCL: libnccl.so.2: not found (package libnccl2, or LD_LIBRARY_PATH to the NCCL of a "
      "framework)");
}

}  // namespace
}  // namespace lockstep::real::gpu

// Lines of NCCL's log, as version 2.28.9 wrote them.
#include "real/gpu/nccl_choice.hpp"

#include <gtest/gtest.h>

namespace lockstep::real::gpu {
namespace {

TEST(NcclChoice, OfALine) {
  const auto choice = nccl_choice_in(
      "vm:550:550 [0] NCCL INFO AllReduce: 560008 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..1}");
  ASSERT_TRUE(choice);
  EXPECT_EQ(*choice, (NcclChoice{"AllReduce", 560008, "RING", "SIMPLE", 0, 1}));
  EXPECT_EQ(nccl_choice_in("Broadcast: 8 Bytes -> Algo TREE proto LL128 channel{Lo..Hi}={3..3}"),
            (NcclChoice{"Broadcast", 8, "TREE", "LL128", 3, 3}));
}

TEST(NcclChoice, OfOtherLines) {
  for (const char* line :
       {"", "vm:550:550 [0] NCCL INFO Channel 00/02 : 0 1", "Bytes -> Algo ",
        "AllReduce: x Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1}", "AllReduce: 8 Bytes -> Algo RING",
        "AllReduce: 8 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1",
        "AllReduce: 8 Bytes -> Algo RING proto LL channel{Lo..Hi}={a..1}",
        ": 8 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1}"})
    EXPECT_FALSE(nccl_choice_in(line)) << line;
}

TEST(NcclChoice, OfALogEachOnce) {
  EXPECT_EQ(nccl_choices_text(""), "");
  EXPECT_EQ(nccl_choices_text("NCCL version 2.28.9+cuda13.0\n"), "");
  EXPECT_EQ(nccl_choices_text("NCCL INFO AllReduce: 20 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..0}\n"
                              "NCCL INFO comm 0x1 rank 0\n"
                              "NCCL INFO AllReduce: 204800 Bytes -> Algo TREE proto SIMPLE channel{Lo..Hi}={0..1}\n"
                              "NCCL INFO AllReduce: 20 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..0}"),
            "AllReduce 20 B: RING LL, 1 channel; AllReduce 204800 B: TREE SIMPLE, 2 channels");
}

}  // namespace
}  // namespace lockstep::real::gpu

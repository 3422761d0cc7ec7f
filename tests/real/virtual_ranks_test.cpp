// Several ranks in a process: real processes, and real messages between them.
#include "real/virtual_ranks/virtual_ranks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/base/error.hpp"
#include "tests/real/ranks.hpp"

namespace lockstep::real {
namespace {

using testing::HasSubstr;

RC_GTEST_PROP(VirtualRanks, EveryRankHasOneProcessAndProcessesAreEven, ()) {
  const int processes = *rc::gen::inRange(1, 40);
  const Placement placement{*rc::gen::inRange(processes, 400), processes};
  std::vector<int> found(static_cast<std::size_t>(processes), 0);
  for (int rank = 0; rank < placement.ranks; ++rank) {
    const int process = placement.process_of(rank);
    RC_ASSERT(process >= 0 && process < processes);
    RC_ASSERT(placement.first(process) <= rank);
    RC_ASSERT(rank < placement.first(process + 1));
    ++found[static_cast<std::size_t>(process)];
  }
  for (int process = 0; process < processes; ++process) {
    RC_ASSERT(found[static_cast<std::size_t>(process)] == placement.count(process));
    RC_ASSERT(placement.count(process) <= placement.count(0));
    RC_ASSERT(placement.count(process) >= placement.count(0) - 1);
  }
}

/// Runs `body` for each of the ranks; process 0's results, a line each.
std::string run_placed(const Placement& placement,
                       const std::function<std::string(Control& control, Transport& transport)>& body) {
  return run_ranks(placement.processes, [&](Control& control) {
    TcpTransport transport(control, everyone_but(control));
    std::string lines;
    for (const auto& line : run_virtual_ranks(control, transport, placement, body)) lines += line + "\n";
    control.barrier();
    return lines;
  });
}

TEST(VirtualRanks, EveryPairExchangesMessages) {
  const Placement placement{7, 3};
  const std::string lines = run_placed(placement, [&](Control& control, Transport& transport) {
    const int own = control.rank(), size = control.size();
    require(size == 7, "{} ranks", size);
    // Several messages of one tag arrive in their order; sends come before and after their receives.
    constexpr int messages = 5;
    constexpr std::size_t numbers = 3000;
    std::vector<std::vector<int>> sent, received;
    std::size_t count = 0;
    for (int peer = 0; peer < size; ++peer)
      for (int i = 0; i < messages && peer != own; ++i) {
        sent.emplace_back(numbers, own * 1000 + peer * 10 + i);
        received.emplace_back(numbers, -1);
        const auto to = std::as_bytes(std::span(sent.back()));
        const auto into = std::as_writable_bytes(std::span(received.back()));
        if (own % 2 == 0) transport.send(peer, 9, to, count++);
        transport.receive(peer, 9, into, count++);
        if (own % 2 != 0) transport.send(peer, 9, to, count++);
      }
    finish(transport, count);
    std::size_t at = 0;
    for (int peer = 0; peer < size; ++peer)
      for (int i = 0; i < messages && peer != own; ++i, ++at)
        for (const int number : received[at])
          require(number == peer * 1000 + own * 10 + i, "rank {}: {} from {}", own, number, peer);
    transport.flush(WallClock::now() + std::chrono::seconds(5));
    const auto all = control.all_gather(fmt::format("rank {}", own));
    require(all.size() == 7 && all[5] == "rank 5", "gathered {}", all.size());
    const auto start = control.start_together(std::chrono::milliseconds(1), {});
    require(WallClock::now() >= start, "early");
    return fmt::format("{} sent {}", own, transport.statistics().messages_sent);
  });
  EXPECT_EQ(lines, "0 sent 30\n1 sent 30\n2 sent 30\n");
}

TEST(VirtualRanks, OneThatFailsEndsAllOfThem) {
  for (const int failing : {0, 2, 5}) {
    const std::string failure = failure_of([&] {
      run_placed({6, 3}, [&](Control& control, Transport& transport) -> std::string {
        if (control.rank() == failing) throw RunFailure(fmt::format("rank {} has had enough", failing));
        std::vector<std::byte> buffer(100);
        transport.receive(failing, 1, buffer, 0);
        std::vector<Completion> done;
        for (;;) transport.wait(done, std::nullopt);
      });
    });
    EXPECT_THAT(failure, HasSubstr(fmt::format("rank {} has had enough", failing)));
  }
}

TEST(VirtualRanks, LengthsThatDifferAreNamed) {
  const std::string failure = failure_of([] {
    run_placed({4, 2}, [](Control& control, Transport& transport) -> std::string {
      std::vector<std::byte> buffer(control.rank() == 0 ? 8 : 16);
      if (control.rank() == 0) transport.send(1, 5, buffer, 0);
      if (control.rank() == 1) transport.receive(0, 5, buffer, 0);
      if (control.rank() < 2) finish(transport, 1);
      control.barrier();
      return "";
    });
  });
  EXPECT_THAT(failure, HasSubstr("rank 1 expects 16 bytes with tag 0x5 from rank 0, which sent 8"));
}

TEST(VirtualRanks, ATimeoutNamesWhatIsOutstanding) {
  const std::string lines = run_placed({4, 2}, [](Control& control, Transport& transport) -> std::string {
    std::vector<std::byte> buffer(64);
    std::string said = "nothing";
    if (control.rank() == 0) {
      transport.receive(1, 3, buffer, 7);
      std::vector<Completion> done;
      require(!transport.wait(done, WallClock::now() + std::chrono::milliseconds(50)), "something came");
      said = transport.outstanding();
    }
    control.barrier();
    if (control.rank() == 1) {
      transport.send(0, 3, buffer, 7);
      finish(transport, 1);
    }
    if (control.rank() == 0) finish(transport, 1);
    return said;
  });
  EXPECT_EQ(lines, "waiting for 64 bytes with tag 0x3 from rank 1\nnothing\n");
}

TEST(VirtualRanks, TooManyOrTooFewProcessesAreRefused) {
  for (const Placement placement : {Placement{1, 2}, Placement{2000, 2}})
    EXPECT_THAT(failure_of([&] { run_placed(placement, [](Control&, Transport&) { return std::string(); }); }),
                HasSubstr("each has one at least and 256 at most"));
}

}  // namespace
}  // namespace lockstep::real

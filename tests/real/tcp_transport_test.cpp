// Do messages arrive whole, in the order of their tag, whatever the order in which they are sent and expected?
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <random>
#include <thread>

#include "core/base/hash.hpp"
#include "tests/real/storm.hpp"

namespace lockstep::real {
namespace {

using namespace std::chrono_literals;
TransportMaker tcp_with(const TcpOptions& options) {
  return
      [options](Control& control) { return std::make_unique<TcpTransport>(control, everyone_but(control), options); };
}

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

TEST(TcpTransport, MovesOneMessage) {
  run_ranks(2, [](Control& control) {
    TcpTransport transport(control, {1 - control.rank()});
    if (control.rank() == 0) {
      const Bytes data = filled(100'000, 1);
      transport.send(1, 7, data, 42);
      std::vector<Completion> done;
      while (done.empty()) transport.wait(done, {});
      require(done.size() == 1 && done[0].kind == Completion::Kind::sent && done[0].token == 42,
              "one completion of the send");
      require(transport.statistics().bytes_sent == 100'000 && transport.statistics().messages_sent == 1, "statistics");
    } else {
      Bytes data(100'000);
      transport.receive(0, 7, data, 43);
      std::vector<Completion> done;
      while (done.empty()) transport.wait(done, {});
      require(done.size() == 1 && done[0].kind == Completion::Kind::received && done[0].token == 43 &&
                  done[0].bytes == 100'000,
              "one completion of the receive");
      require(data == filled(100'000, 1), "contents");
    }
    control.barrier();
    return std::string();
  });
}

TEST(TcpTransport, StormsOfMessagesArriveWhole) {
  for (int ranks = 2; ranks <= 8; ++ranks)
    storm(ranks, static_cast<std::uint64_t>(ranks) * 1000, tcp_with({}), 300'000, 300);
}

TEST(TcpTransport, WhoLooksBeforeItSleepsMissesNothing) {
  TcpOptions options;
  options.looks = true;
  for (int ranks = 2; ranks <= 4; ++ranks)
    storm(ranks, static_cast<std::uint64_t>(ranks) * 77, tcp_with(options), 300'000, 300);
  // What comes long after everybody has stopped looking wakes the sleeper; a deadline ends looking, too.
  run_ranks(2, [&](Control& control) {
    Bytes data(10);
    double busy_s[2] = {0, 0};
    for (const bool looks : {false, true}) {
      options.looks = looks;
      TcpTransport transport(control, {1 - control.rank()}, options);
      std::vector<Completion> done;
      if (control.rank() == 1) {
        transport.receive(0, 1, data, 1);
        const double before = thread_seconds();
        for (int i = 0; i < 50; ++i) {
          const auto begun = WallClock::now();
          require(!transport.wait(done, begun + 150us), "nothing has come yet");
          require(WallClock::now() >= begun + 150us, "it waited until the deadline");
        }
        busy_s[looks ? 1 : 0] = thread_seconds() - before;
      }
      control.barrier();
      if (control.rank() == 0) {
        std::this_thread::sleep_for(5ms);
        transport.send(1, 1, data, 1);
      }
      require(transport.wait(done, WallClock::now() + 10s), "the message gets there");
      control.barrier();
    }
    // 50 times 150 us, where nobody else wants the core.
    if (control.rank() == 1)
      require(busy_s[1] > busy_s[0] + 1e-3, "it looked for {} s, and {} s without", busy_s[1], busy_s[0]);
    return std::string();
  });
}

TEST(TcpTransport, StormsWithTinyBuffersReachTheFarPaths) {
  TcpOptions options;
  options.eager_limit = 100;
  options.unexpected_limit = 1000;
  options.staging = 64;
  options.direct = 40;
  options.read_chunk = 1000;
  options.write_chunk = 1500;
  options.send_buffer = 4096;
  options.receive_buffer = 4096;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) storm(3, seed, tcp_with(options), 20'000, 150);
  options.staging = 1;
  storm(2, 99, tcp_with(options), 20'000, 150);
}

TEST(TcpTransport, EmptyMessagesAreMessages) {
  run_ranks(2, [](Control& control) {
    TcpTransport transport(control, {1 - control.rank()});
    for (std::uint64_t i = 0; i < 100; ++i) transport.send(1 - control.rank(), i % 3, {}, i);
    for (std::uint64_t i = 0; i < 100; ++i) transport.receive(1 - control.rank(), i % 3, {}, 100 + i);
    finish(transport, 200);
    control.barrier();
    return std::string();
  });
}

TEST(TcpTransport, AHundredMebibytesArriveWithProgress) {
  run_ranks(2, [](Control& control) {
    constexpr std::size_t size = 100u << 20;
    TcpTransport transport(control, {1 - control.rank()});
    const Bytes source = filled(size, static_cast<std::uint64_t>(control.rank()));
    Bytes target(size);
    transport.receive(1 - control.rank(), 1, target, 2, 10u << 20);
    control.barrier();  // so that the receive is posted, and the statistics below hold
    transport.send(1 - control.rank(), 1, source, 1);
    std::size_t last = 0, reports = 0, open = 2;
    std::vector<Completion> done;
    while (open > 0) {
      done.clear();
      transport.wait(done, {});
      for (const auto& one : done) {
        if (one.kind == Completion::Kind::progress) {
          require(one.token == 2 && one.bytes > last && one.bytes / (10u << 20) > last / (10u << 20),
                  "progress {} after {}", one.bytes, last);
          last = one.bytes;
          ++reports;
        } else {
          --open;
        }
      }
    }
    require(reports >= 1 && reports <= 10, "{} reports", reports);
    require(target == filled(size, 1 - static_cast<std::uint64_t>(control.rank())), "contents");
    require(transport.statistics().unexpected_bytes == 0, "copied {}", transport.statistics().unexpected_bytes);
    control.barrier();
    return std::string();
  });
}

TEST(TcpTransport, ALargeUnexpectedMessageWaitsInTheSender) {
  run_ranks(2, [](Control& control) {
    constexpr std::size_t size = 64u << 20;
    TcpTransport transport(control, {1 - control.rank()});
    std::vector<Completion> done;
    if (control.rank() == 0) {
      const Bytes source = filled(size, 5);
      transport.send(1, 1, source, 1);
      require(!transport.wait(done, WallClock::now() + 200ms), "sent without a receive");
      control.barrier();
      finish(transport, 1);
    } else {
      require(!transport.wait(done, WallClock::now() + 200ms), "nothing was posted");
      control.barrier();
      Bytes target(size);
      transport.receive(0, 1, target, 2);
      finish(transport, 1);
      require(target == filled(size, 5), "contents");
      require(transport.statistics().unexpected_bytes == 0, "copied");
    }
    control.barrier();
    return std::string();
  });
}

TEST(TcpTransport, AReceiveBehindALargeUnexpectedMessageIsServed) {
  run_ranks(2, [](Control& control) {
    constexpr std::size_t size = 32u << 20;
    TcpTransport transport(control, {1 - control.rank()});
    if (control.rank() == 0) {
      const Bytes large = filled(size, 5), small = filled(10, 6);
      transport.send(1, 1, large, 1);
      transport.send(1, 2, small, 2);
      finish(transport, 2);
    } else {
      Bytes large(size), small(10);
      transport.receive(0, 2, small, 2);
      finish(transport, 1);
      require(small == filled(10, 6), "contents");
      transport.receive(0, 1, large, 1);
      finish(transport, 1);
      require(large == filled(size, 5), "contents");
      require(transport.statistics().unexpected_bytes == size, "statistics");
    }
    control.barrier();
    return std::string();
  });
}

TEST(TcpTransport, TheDeadlineIsKept) {
  run_ranks(2, [](Control& control) {
    TcpTransport transport(control, {1 - control.rank()});
    Bytes target(1);
    transport.receive(1 - control.rank(), 1, target, 1);
    for (const auto pause : {0us, 200us, 3000us, 30'000us}) {
      const auto before = WallClock::now();
      std::vector<Completion> done;
      require(!transport.wait(done, before + pause), "nothing was sent");
      require(WallClock::now() - before >= pause, "woke up {} us early",
              std::chrono::duration_cast<std::chrono::microseconds>(before + pause - WallClock::now()).count());
    }
    require(transport.outstanding() == fmt::format("waiting for 1 bytes with tag 0x1 from rank {}", 1 - control.rank()),
            "{}", transport.outstanding());
    control.barrier();
    return std::string();
  });
}

TEST(TcpTransport, WaitingCostsNoProcessorTime) {
  run_ranks(2, [](Control& control) {
    TcpTransport transport(control, {1 - control.rank()});
    Bytes target(1);
    transport.receive(1 - control.rank(), 1, target, 1);
    control.barrier();
    timespec before{}, after{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    std::vector<Completion> done;
    require(!transport.wait(done, WallClock::now() + 400ms), "nothing was sent");
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    const double used =
        static_cast<double>(after.tv_sec - before.tv_sec) + 1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec);
    require(used < 0.04, "{} s of processor time in 0.4 s of waiting", used);
    control.barrier();
    return std::string();
  });
}

TEST(TcpTransport, AWrongLengthNamesBothRanks) {
  for (const bool late : {false, true}) {
    EXPECT_EQ(failure_of([&] {
                run_ranks(2, [&](Control& control) {
                  TcpTransport transport(control, {1 - control.rank()});
                  if (control.rank() == 0) {
                    const Bytes source(100);
                    transport.send(1, 0x10, source, 1);
                    finish(transport, 1);
                    control.barrier();
                    control.barrier();
                  } else {
                    Bytes target(200);
                    control.barrier();
                    std::vector<Completion> done;
                    if (late) transport.wait(done, WallClock::now() + 50ms);  // it comes unexpected
                    transport.receive(0, 0x10, target, 1);
                    finish(transport, 1);
                  }
                  return std::string();
                });
              }),
              "RunFailure: rank 1: rank 0 sent 100 bytes with tag 0x10 to rank 1, whose receive expects 200 bytes");
  }
}

TEST(TcpTransport, AKilledPeerEndsTheWaitOfAllWithinASecond) {
  const auto before = WallClock::now();
  const std::string failure = failure_of([&] {
    run_ranks(4, [](Control& control) {
      TcpTransport transport(control, everyone_but(control));
      control.barrier();
      if (control.rank() == 2) ::kill(::getpid(), SIGKILL);
      Bytes target(1);
      // Rank 3 waits for rank 1, which is well: the news reaches it over Control.
      transport.receive(control.rank() == 3 ? 1 : control.rank() == 0 ? 1 : 2, 9, target, 1);
      finish(transport, 1);
      return std::string();
    });
  });
  EXPECT_EQ(failure, "RunFailure: rank 2 was killed by signal 9 (Killed)");
  EXPECT_LT(WallClock::now() - before, 1s);
}

TEST(TcpTransport, AFailureWithAReasonEndsTheWaitOfTheOthers) {
  const auto before = WallClock::now();
  const std::string failure = failure_of([&] {
    run_ranks(3, [](Control& control) {
      TcpTransport transport(control, everyone_but(control));
      if (control.rank() == 1) {
        control.fail("the disk is full");
        throw InputError("the disk is full");
      }
      Bytes target(1);
      transport.receive(control.rank() == 0 ? 2 : 0, 9, target, 1);
      try {
        finish(transport, 1);
      } catch (const PeerFailure& error) {
        require(std::string(error.what()) == "rank 1 failed: the disk is full", "{}", error.what());
        throw;
      }
      return std::string();
    });
  });
  EXPECT_EQ(failure, "InputError: rank 1: the disk is full");
  EXPECT_LT(WallClock::now() - before, 1s);
}

TEST(TcpTransport, APeerThatLeavesInPeaceIsMissedOnlyByWhoWaitsForIt) {
  run_ranks(2, [](Control& control) {
    auto transport = std::make_unique<TcpTransport>(control, std::vector<int>{1 - control.rank()});
    control.barrier();
    if (control.rank() == 0) {
      const Bytes source = filled(1000, 3);
      transport->send(1, 1, source, 1);
      finish(*transport, 1);
      transport.reset();
      control.barrier();
      control.barrier();
      return std::string();
    }
    control.barrier();
    std::vector<Completion> done;
    require(!transport->wait(done, WallClock::now() + 20ms), "nothing was posted");
    Bytes target(1000);
    transport->receive(0, 1, target, 2);
    finish(*transport, 1);
    require(target == filled(1000, 3), "what came before the end");
    transport->receive(0, 1, target, 3);
    try {
      finish(*transport, 1);
      require(false, "received from a peer that has left");
    } catch (const PeerFailure& error) {
      require(std::string(error.what()) ==
                  "rank 1 lost rank 0: the connection was closed; waiting for 1000 bytes with tag 0x1 from rank 0",
              "{}", error.what());
    }
    control.barrier();
    return std::string();
  });
}

}  // namespace
}  // namespace lockstep::real

// Do ranks find each other, agree, keep together, and learn of each other's failures?
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/real/ranks.hpp"

namespace lockstep::real {
namespace {

using namespace std::chrono_literals;

/// A socket of 127.0.0.1; listening or merely holding a port.
class HeldPort {
 public:
  explicit HeldPort(bool listening) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    const int yes = 1;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        (listening && ::listen(socket_, 8) != 0) ||
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) {
      throw std::runtime_error("cannot hold a port");
    }
    port_ = ntohs(address.sin_port);
  }
  ~HeldPort() { ::close(socket_); }
  HeldPort(const HeldPort&) = delete;
  HeldPort& operator=(const HeldPort&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

JobEnvironment environment_of(int rank, int size, std::uint16_t port) {
  JobEnvironment environment;
  environment.rank = rank;
  environment.size = size;
  environment.master_port = port;
  return environment;
}

struct Claim {
  int rank, size;
  std::string agreement = "abc";
};

/// Starts one process per claim and returns how the job failed.
std::string failure_of_claims(const std::vector<Claim>& claims, std::chrono::milliseconds timeout) {
  const HeldPort held(false);
  LocalRanks ranks;
  ranks.count = static_cast<int>(claims.size());
  ranks.environment = [&](int process) {
    const auto& claim = claims[static_cast<std::size_t>(process)];
    return environment_of(claim.rank, claim.size, held.port());
  };
  ranks.body = [&](const JobEnvironment& environment) {
    // By rank, size and port alone the agreement is not known: the first claim that looks so is this one.
    for (const auto& claim : claims)
      if (claim.rank == environment.rank && claim.size == environment.size)
        connect_control(environment, claim.agreement, timeout)->barrier();
    return std::string();
  };
  std::string failure = failure_of([&] { run_local_ranks(ranks); });
  for (std::string::size_type at; (at = failure.find(fmt::format(":{}", held.port()))) != std::string::npos;)
    failure.replace(at, fmt::format(":{}", held.port()).size(), ":PORT");
  return failure;
}

TEST(Control, GathersStringsOfAnySizeByRank) {
  run_ranks(5, [](Control& control) {
    const auto text = [](int rank, std::size_t size) { return std::string(size, static_cast<char>('a' + rank)); };
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5'000'000}}) {
      const auto all = control.all_gather(text(control.rank(), size));
      require(all.size() == 5, "{} strings", all.size());
      for (int r = 0; r < 5; ++r)
        require(all[static_cast<std::size_t>(r)] == text(r, size), "all_gather of {} bytes, rank {}", size, r);
      const auto gathered = control.gather(text(control.rank(), size));
      require(gathered.size() == (control.rank() == 0 ? 5u : 0u), "{} strings gathered", gathered.size());
      for (std::size_t r = 0; r < gathered.size(); ++r)
        require(gathered[r] == text(static_cast<int>(r), size), "gather of {} bytes, rank {}", size, r);
      control.barrier();
    }
    return std::string();
  });
}

TEST(Control, OneRankNeedsNobody) {
  EXPECT_EQ(run_ranks(1,
                      [](Control& control) {
                        control.barrier();
                        control.start_together(1ms, {});
                        require(control.all_gather("x") == std::vector<std::string>{"x"}, "all_gather");
                        return std::string("alone");
                      }),
            "alone");
}

TEST(Control, RanksStartAtTheSameInstant) {
  run_ranks(4, [](Control& control) {
    const auto offset = control.estimate_clock_offset();
    require(offset.uncertainty >= 0ns && offset.uncertainty < 50ms, "uncertainty {} ns", offset.uncertainty.count());
    require(std::abs(offset.offset.count()) <= offset.uncertainty.count(), "ranks of one host share a clock: {} ns",
            offset.offset.count());
    for (int i = 0; i < 5; ++i) {
      const auto start = control.start_together(5ms, {});
      const auto now = WallClock::now();
      require(now >= start, "returned before the start");
      const auto all = control.all_gather(std::to_string(start.time_since_epoch().count()));
      for (const auto& one : all) require(one == all[0], "starts at {} and {}", one, all[0]);
    }
    return std::string();
  });
}

TEST(Control, WhoWakesEarlyDoesWhatItWasToldAndWaitsForTheInstant) {
  run_ranks(2, [](Control& control) {
    WallClock::time_point woke;
    const auto start = control.start_together(20ms, {2ms, [&] { woke = WallClock::now(); }});
    require(WallClock::now() >= start, "returned before the start");
    require(woke >= start - 2ms, "woke {} ns before the instant", (start - woke).count());
    return std::string();
  });
}

TEST(Control, DisagreementReachesAllWithOneMessage) {
  EXPECT_EQ(failure_of_claims({{0, 3, "def"}, {1, 3, "def"}, {2, 3, "abc"}}, 10s),
            "RunFailure: rank 2 has plan hash abc, rank 0 has def: were both started with the same files?");
}

TEST(Control, ADifferentNumberOfRanksIsNoticed) {
  EXPECT_EQ(failure_of_claims({{0, 2}, {1, 3}}, 10s),
            "RunFailure: rank 1 was started as one of 3 ranks, rank 0 as one of 2: were they started by one command?");
}

TEST(Control, ARankNumberUsedTwiceIsNoticed) {
  EXPECT_EQ(failure_of_claims({{0, 3}, {1, 3}, {1, 3}}, 10s),
            "RunFailure: rank number 1 is used twice, by processes at 127.0.0.1 and 127.0.0.1: does the launcher give "
            "every process its own rank?");
}

TEST(Control, APeerThatNeverComesIsNamed) {
  EXPECT_EQ(failure_of_claims({{0, 4}, {2, 4}}, 300ms),
            "RunFailure: ranks 1, 3 of 4 did not reach 127.0.0.1:PORT within 0.3 s: ranks that came: 0, 2; are they "
            "running, with the same "
            "MASTER_ADDR and MASTER_PORT, and does a firewall let them through?");
}

TEST(Control, AMasterThatNeverComesIsNamed) {
  const auto before = WallClock::now();
  EXPECT_EQ(failure_of_claims({{1, 2}}, 300ms),
            "RunFailure: rank 0: rank 1 of 2 could not reach rank 0 at 127.0.0.1:PORT within 0.3 s (Connection "
            "refused): is rank 0 running, and are "
            "MASTER_ADDR and MASTER_PORT the same on all ranks?");
  EXPECT_LT(WallClock::now() - before, 2s);
}

TEST(Control, APortInUseIsNamed) {
  const HeldPort held(true);
  EXPECT_EQ(failure_of([&] { connect_control(environment_of(0, 2, held.port()), "abc", 1s); }),
            fmt::format("RunFailure: port {} on 127.0.0.1 is in use; choose another with MASTER_PORT", held.port()));
}

TEST(Control, AnUnknownHostIsNamed) {
  auto environment = environment_of(1, 2, 1);
  environment.master_address = "no-such-host.invalid";
  EXPECT_THAT(failure_of([&] { connect_control(environment, "abc", 1s); }),
              testing::StartsWith("RunFailure: cannot find the host 'no-such-host.invalid' of rank 0 ("));
}

TEST(Control, AnotherProgramOnThePortIsNamed) {
  const HeldPort silent(true);
  EXPECT_EQ(failure_of([&] { connect_control(environment_of(1, 2, silent.port()), "abc", 100ms); }),
            fmt::format("RunFailure: rank 1: rank 0 at 127.0.0.1:{} took the connection but said nothing for 2.1 s: is "
                        "another program using that port?",
                        silent.port()));
}

TEST(Control, StrangersAreNotTakenForRanks) {
  LocalRanks ranks;
  ranks.count = 2;
  ranks.body = [](const JobEnvironment& environment) {
    if (environment.rank == 1) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(environment.master_port);
      const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
      const int stranger = ::socket(AF_INET, SOCK_STREAM, 0);
      for (int i = 0; i < 200 && ::connect(stranger, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0; ++i)
        std::this_thread::sleep_for(10ms);
      require(::write(stranger, request.data(), request.size()) == static_cast<ssize_t>(request.size()),
              "the request was sent");
      char answer = 0;
      require(::read(stranger, &answer, 1) <= 0, "rank 0 hangs up without an answer");
      ::close(stranger);
    }
    connect_control(environment, "abc", 10s)->barrier();
    return std::string("met");
  };
  EXPECT_EQ(run_local_ranks(ranks), "met");
}

TEST(Control, ABarrierThatOneRankMissesNamesIt) {
  EXPECT_EQ(
      failure_of([] {
        run_ranks(
            3,
            [](Control& control) {
              if (control.rank() == 1) std::this_thread::sleep_for(700ms);
              control.barrier();
              return std::string();
            },
            300ms);
      }),
      "RunFailure: rank 0 waited 0.3 s in barrier; missing: rank 1 (stopped, or only slow? --timeout waits longer)");
}

TEST(Control, ARankThatEndedEarlyIsNamed) {
  EXPECT_EQ(failure_of([] {
              run_ranks(3, [](Control& control) {
                if (control.rank() != 2) control.barrier();
                return std::string();
              });
            }),
            "RunFailure: rank 0: rank 2 has ended, but rank 0 waits for it in barrier");
}

TEST(Control, AnExceptionOnItsWayUpIsNewsToTheOthers) {
  EXPECT_EQ(failure_of([] {
              run_ranks(3, [](Control& control) {
                if (control.rank() == 2) throw InputError("a wrong file");
                try {
                  control.barrier();
                } catch (const PeerFailure& error) {
                  require(std::string(error.what()) == "rank 2 failed: it was stopped by an error", "{}", error.what());
                  throw;
                }
                return std::string();
              });
            }),
            "InputError: rank 2: a wrong file");
}

TEST(Control, ADeathIsNewsWithinASecond) {
  for (const int victim : {0, 2}) {
    const auto before = WallClock::now();
    EXPECT_EQ(failure_of([&] {
                run_ranks(4, [&](Control& control) {
                  control.barrier();
                  if (control.rank() == victim) ::kill(::getpid(), SIGKILL);
                  control.barrier();
                  return std::string();
                });
              }),
              fmt::format("RunFailure: rank {} was killed by signal 9 (Killed)", victim));
    EXPECT_LT(WallClock::now() - before, 1s);
  }
}

TEST(Control, RanksThatCallDifferentThingsAreTold) {
  EXPECT_THAT(failure_of([] {
                run_ranks(2, [](Control& control) {
                  if (control.rank() == 0)
                    control.barrier();
                  else
                    control.all_gather("x");
                  return std::string();
                });
              }),
              testing::HasSubstr("rank 1 is in all_gather while rank 0 is in barrier"));
}

}  // namespace
}  // namespace lockstep::real

// Do ranks started on this machine end together, for every reason there is to end, and is the reason told?
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "core/base/error.hpp"
#include "real/launch/outcome.hpp"
#include "tests/real/ranks.hpp"

namespace lockstep::real {
namespace {

using namespace std::chrono_literals;

LocalRanks local(int count, std::function<std::string(int rank)> body) {
  LocalRanks ranks;
  ranks.count = count;
  ranks.body = [body = std::move(body)](const JobEnvironment& environment) { return body(environment.rank); };
  return ranks;
}

void wait_for_ever() {
  for (;;) ::pause();
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

/// A pipe whose writing end every descendant holds: its end of file says that all are gone.
class Witness {
 public:
  Witness() {
    if (::pipe(ends_.data()) != 0) throw std::runtime_error("pipe");
  }
  ~Witness() {
    ::close(ends_[0]);
    close_writer();
  }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  void say(char c) const { static_cast<void>(::write(ends_[1], &c, 1) == 1); }
  [[nodiscard]] bool hears(char expected) const {
    char c = 0;
    return ::read(ends_[0], &c, 1) == 1 && c == expected;
  }
  [[nodiscard]] bool ends_within(std::chrono::milliseconds time) const {
    pollfd one{ends_[0], POLLIN, 0};
    char c = 0;
    return ::poll(&one, 1, static_cast<int>(time.count())) == 1 && ::read(ends_[0], &c, 1) == 0;
  }

 private:
  std::array<int, 2> ends_{};
};

TEST(LocalRanks, TheResultOfRankZeroComesBack) {
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(run_local_ranks(local(4, [&](int rank) { return rank == 0 ? large : std::string("mine alone"); })), large);
  EXPECT_FALSE(has_children());
}

TEST(LocalRanks, ExceptionsKeepTheirKind) {
  EXPECT_EQ(failure_of([] {
              run_local_ranks(local(
                  3, [](int rank) -> std::string { return rank == 1 ? throw InputError("bad") : std::string(); }));
            }),
            "InputError: rank 1: bad");
  EXPECT_EQ(failure_of([] {
              run_local_ranks(local(
                  3, [](int rank) -> std::string { return rank == 2 ? throw RunFailure("bad") : std::string(); }));
            }),
            "RunFailure: rank 2: bad");
  EXPECT_EQ(failure_of([] { run_local_ranks(local(1, [](int) -> std::string { throw BrokenInvariant("bad"); })); }),
            "BrokenInvariant: rank 0: bad");
  EXPECT_EQ(failure_of([] { run_local_ranks(local(1, [](int) -> std::string { throw std::runtime_error("bad"); })); }),
            "RunFailure: rank 0: bad");
  EXPECT_EQ(failure_of([] { run_local_ranks(local(1, [](int) -> std::string { throw std::bad_alloc(); })); }),
            "RunFailure: rank 0: out of memory");
  EXPECT_EQ(failure_of([] { run_local_ranks(local(1, [](int) -> std::string { ::_exit(5); })); }),
            "RunFailure: rank 0 exited with status 5 and without a result");
  EXPECT_FALSE(has_children());
}

TEST(LocalRanks, WhatAllSayAlikeIsSaidOnce) {
  EXPECT_EQ(failure_of([] { run_local_ranks(local(3, [](int) -> std::string { throw InputError("no such file"); })); }),
            "InputError: no such file");
}

TEST(LocalRanks, TheCauseComesBeforeItsConsequences) {
  EXPECT_EQ(failure_of([] {
              run_local_ranks(local(3, [](int rank) -> std::string {
                if (rank == 1) {
                  std::this_thread::sleep_for(100ms);
                  ::raise(SIGALRM);  // a sanitizer would turn SIGSEGV into an exit
                }
                throw PeerFailure("lost rank 1");
              }));
            }),
            "RunFailure: rank 1 was killed by signal 14 (Alarm clock)");
}

TEST(LocalRanks, RanksThatGoOnAfterAFailureAreEnded) {
  const auto before = WallClock::now();
  EXPECT_EQ(failure_of([] {
              run_local_ranks(local(3, [](int rank) -> std::string {
                if (rank == 1) throw RunFailure("bad");
                wait_for_ever();
                return {};
              }));
            }),
            "RunFailure: rank 1: bad");
  EXPECT_LT(WallClock::now() - before, 2s);
  EXPECT_FALSE(has_children());
}

TEST(LocalRanks, AKilledRankIsReported) {
  EXPECT_EQ(failure_of([] {
              run_local_ranks(local(3, [](int rank) {
                if (rank == 2) ::kill(::getpid(), SIGKILL);
                return std::string();
              }));
            }),
            "RunFailure: rank 2 was killed by signal 9 (Killed)");
}

TEST(LocalRanks, EnterComesFirst) {
  LocalRanks ranks = local(2, [](int rank) { return std::string(std::getenv("ENTERED")) + std::to_string(rank); });
  ranks.enter = [](int rank) { ::setenv("ENTERED", rank == 0 ? "zero" : "one", 1); };
  EXPECT_EQ(run_local_ranks(ranks), "zero0");
}

TEST(LocalRanks, InterruptsEndTheChildrenAndThenTheCall) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Witness witness;
    EXPECT_EQ(failure_of([&] {
                run_local_ranks(local(3, [&](int rank) -> std::string {
                  if (rank == 1) ::kill(::getppid(), signal);
                  wait_for_ever();
                  return {};
                }));
              }),
              "RunFailure: interrupted");
    witness.close_writer();
    EXPECT_TRUE(witness.ends_within(0ms));
    EXPECT_FALSE(has_children());
  }
}

TEST(LocalRanks, ACtrlCOfTheTerminalIsTheParents) {
  // The terminal signals every process of the group; a rank that died of it would be reported in place of the
  // interrupt.
  EXPECT_EQ(failure_of([] {
              run_local_ranks(local(2, [](int rank) -> std::string {
                ::raise(SIGINT);
                if (rank == 0) ::kill(::getppid(), SIGINT);
                wait_for_ever();
                return {};
              }));
            }),
            "RunFailure: interrupted");
}

TEST(LocalRanks, NoRankOutlivesAParentThatIsKilled) {
  Witness witness;
  const pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    try {
      run_local_ranks(local(4, [&](int) -> std::string {
        witness.say('r');
        wait_for_ever();
        return {};
      }));
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  witness.close_writer();
  for (int rank = 0; rank < 4; ++rank) ASSERT_TRUE(witness.hears('r'));
  ::kill(parent, SIGKILL);
  EXPECT_TRUE(witness.ends_within(1s));
  ::waitpid(parent, nullptr, 0);
}

TEST(LocalRanks, RanksNeverWriteToStandardOutput) {
  testing::internal::CaptureStdout();
  fmt::print("from the parent; ");  // still in the buffer when the children are made
  run_local_ranks(local(2, [](int) {
    fmt::print("from a rank");
    return std::string();
  }));
  std::fflush(stdout);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "from the parent; ");
}

// A library may abort in one rank because another is gone: that is not the cause.
TEST(Outcomes, ARankThatAbortedIsNamedAfterOneThatWasKilled) {
  const auto killed = [](int rank, int signal) {
    Outcome outcome;
    outcome.rank = rank;
    outcome.kind = Outcome::Kind::killed_by_signal;
    outcome.number = signal;
    return outcome;
  };
  EXPECT_THAT(
      [&] {
        throw_cause({killed(0, SIGABRT), killed(2, SIGKILL)});
      },
      testing::ThrowsMessage<RunFailure>(testing::StartsWith("rank 2 was killed by signal 9")));
  EXPECT_THAT([&] { throw_cause({killed(1, SIGABRT)}); },
              testing::ThrowsMessage<RunFailure>(testing::StartsWith("rank 1 was killed by signal 6")));
}

}  // namespace
}  // namespace lockstep::real

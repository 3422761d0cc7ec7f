// Question: does what runs inside stay inside, and does nothing of it survive: success, exception, signal, kill -9 of
// the caller?
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/base/error.hpp"
#include "real/lab/command.hpp"
#include "real/lab/isolate.hpp"
#include "real/lab/network_namespace.hpp"
#include "real/lab/tcp_settings.hpp"

namespace lockstep::real {
namespace {

using namespace std::chrono_literals;

#define SKIP_WHERE_REFUSED() \
  if (const auto why = why_isolation_is_refused(); !why.empty()) GTEST_SKIP() << why

// Runs `body` in a child as an ordinary user; the child's status.
int as_ordinary_user(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(99);
    ::prctl(PR_SET_DUMPABLE, 1);  // setuid(2) hides /proc/self from its owner; a user who logged in has it
    int status = 98;
    try {
      status = body();
    } catch (const std::exception& error) {
      fmt::print(stderr, "{}\n", error.what());
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(LabIsolate, BringsBackResultsAndErrors) {
  SKIP_WHERE_REFUSED();
  const std::string large(300000, 'x');
  EXPECT_EQ(run_isolated({}, [&](const Isolation&) { return large; }), large);
  EXPECT_THAT([] { run_isolated({}, [](const Isolation&) -> std::string { throw InputError("bad input"); }); },
              testing::ThrowsMessage<InputError>("bad input"));
  EXPECT_THAT([] { run_isolated({}, [](const Isolation&) -> std::string { throw RunFailure("lost"); }); },
              testing::ThrowsMessage<RunFailure>("lost"));
  EXPECT_THAT(
      [] {
        run_isolated({}, [](const Isolation&) -> std::string {
          ::raise(SIGKILL);
          return {};
        });
      },
      testing::ThrowsMessage<RunFailure>("the process that runs the lab was killed by signal 9 (Killed)"));
}

TEST(LabIsolate, NothingShowsOutside) {
  SKIP_WHERE_REFUSED();
  const auto before = run_command({"ip", "-o", "link"}).output;
  const auto inside = run_isolated({}, [](const Isolation&) {
    const NetworkNamespace place("lockstep-test");
    return run_command({"ip", "netns", "list"}).output + run_command({"ip", "-o", "link"}).output;
  });
  EXPECT_THAT(inside, testing::HasSubstr("lockstep-test"));
  EXPECT_EQ(run_command({"ip", "-o", "link"}).output, before);
  EXPECT_FALSE(std::filesystem::exists("/run/netns/lockstep-test"));
}

TEST(LabIsolate, TheCallerTakesEverythingWithIt) {
  SKIP_WHERE_REFUSED();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t caller = ::fork();
  if (caller == 0) {
    try {
      run_isolated({}, [&](const Isolation&) {
        if (::fork() == 0) {
          ::setsid();  // a daemon inside: no process group, no parent to die with
          ::pause();
        }
        [[maybe_unused]] const auto n = ::write(ends[1], "r", 1);
        ::pause();
        return std::string();
      });
    } catch (...) {
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  // Every process inside holds the pipe's other end: its end means that none is left.
  ::alarm(10);
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);
  ::alarm(0);
  ::close(ends[0]);
}

TEST(LabIsolate, ASignalToTheCallerReachesTheBody) {
  SKIP_WHERE_REFUSED();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t caller = ::fork();
  if (caller == 0) {
    int status = 1;
    try {
      run_isolated({}, [&](const Isolation&) {
        [[maybe_unused]] const auto n = ::write(ends[1], "r", 1);
        ::pause();
        return std::string();
      });
    } catch (const RunFailure& failure) {
      status = std::string(failure.what()) == "interrupted" ? 0 : 2;
    }
    ::_exit(status);
  }
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  const auto start = std::chrono::steady_clock::now();
  ::kill(caller, SIGTERM);
  int status = 0;
  ::waitpid(caller, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_LT(std::chrono::steady_clock::now() - start, 4s);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(LabIsolate, AnOrdinaryUserMayBuildNamespaces) {
  const int status = as_ordinary_user([] {
    if (!why_isolation_is_refused({.always_user_namespace = true}).empty()) return 77;
    return run_isolated({},
                        [](const Isolation& isolation) {
                          const NetworkNamespace place("inside");
                          const InNamespace there(place);
                          const auto wanted = lab_tcp_settings(1_Gbps, Duration{0});
                          const auto tcp = apply_tcp_settings(wanted);
                          for (std::size_t i = 0; i < wanted.size(); ++i)
                            if (!tcp[i].set) return "not settable: " + tcp[i].name;
                          return std::string(isolation.user_namespace ? "user" : "root");
                        }) == "user"
               ? 0
               : 1;
  });
  if (status == 77) GTEST_SKIP() << "user namespaces are refused here";
  EXPECT_EQ(status, 0);
}

TEST(LabIsolate, ARefusalNamesTheRemedy) {
  if (const auto why = why_isolation_is_refused({.always_user_namespace = true}); !why.empty())
    GTEST_SKIP() << why;  // as under ThreadSanitizer: its own thread forbids a user namespace
  // max_user_namespaces is per user namespace: forbidden in one of our own, it forbids the next one down.
  const auto message = run_isolated({.always_user_namespace = true}, [](const Isolation& isolation) {
    if (!isolation.fresh_proc || !write_setting("user/max_user_namespaces", "0")) return std::string("skip");
    return why_isolation_is_refused({.always_user_namespace = true});
  });
  if (message == "skip") GTEST_SKIP() << "/proc/sys/user is not writable inside";
  EXPECT_THAT(message,
              testing::StartsWith(
                  "the lab needs user, network, mount and process namespaces, and this machine refuses them ("));
  EXPECT_THAT(message, testing::HasSubstr("sysctl -w user.max_user_namespaces=15000"));
  EXPECT_THAT(message, testing::HasSubstr("run it as root"));
}

}  // namespace
}  // namespace lockstep::real

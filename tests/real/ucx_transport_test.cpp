// Do messages over UCX, tagged and written one-sided, arrive whole and in the order of their tag? Over TCP, which UCX
// takes in the lab, and over shared memory.
#include <gtest/gtest.h>

#include <cstdlib>

#include "real/transport/catalogue.hpp"
#include "real/transport/module.hpp"
#include "tests/real/storm.hpp"

namespace lockstep::real {
namespace {

class UcxTransport : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    if (const std::string missing = why_no_module("ucx"); !missing.empty()) GTEST_SKIP() << missing;
  }
  [[nodiscard]] std::unique_ptr<Transport> make(Control& control) const {
    const auto& [kind, ways] = GetParam();
    ::setenv("UCX_TLS", ways.c_str(), 1);  // in the rank's own process
    return make_transport(find_transport(kind), control, everyone_but(control), {});
  }
};

TEST_P(UcxTransport, StormsOfMessagesArriveWhole) {
  for (const int ranks : {2, 3, 5})
    storm(
        ranks, static_cast<std::uint64_t>(ranks) * 1000, [&](Control& control) { return make(control); }, 300'000, 200);
}

TEST_P(UcxTransport, EmptyMessagesAreMessages) {
  run_ranks(2, [&](Control& control) {
    const auto transport = make(control);
    for (std::uint64_t i = 0; i < 100; ++i) transport->send(1 - control.rank(), i % 3, {}, i);
    for (std::uint64_t i = 0; i < 100; ++i) transport->receive(1 - control.rank(), i % 3, {}, 100 + i);
    finish(*transport, 200);
    require(transport->statistics().messages_sent == 100, "{} messages", transport->statistics().messages_sent);
    control.barrier();
    return std::string();
  });
}

TEST_P(UcxTransport, KeptMemoryIsWrittenAgainAndAgain) {
  run_ranks(2, [&](Control& control) {
    const auto transport = make(control);
    const int peer = 1 - control.rank();
    Bytes target(100'000);
    transport->keep(target);
    for (std::uint64_t i = 0; i < 20; ++i) {
      const Bytes source = filled(5'000, i + static_cast<std::uint64_t>(control.rank()));
      const auto part = std::span(target).subspan(i * 5'000, 5'000);
      transport->receive(peer, 1, part, 2 * i);
      transport->send(peer, 1, source, 2 * i + 1);
      finish(*transport, 2);
      require(std::equal(part.begin(), part.end(), filled(5'000, i + static_cast<std::uint64_t>(peer)).begin()),
              "contents of message {}", i);
    }
    transport->forget(target);
    control.barrier();
    return std::string();
  });
}

TEST_P(UcxTransport, AnotherLengthThanExpectedIsAnErrorThatNamesBothRanks) {
  const std::string failure = failure_of([&] {
    run_ranks(2, [&](Control& control) {
      const auto transport = make(control);
      Bytes data(1000);
      if (control.rank() == 0)
        transport->send(1, 7, std::span<const std::byte>(data).first(900), 1);
      else
        transport->receive(0, 7, data, 1);
      finish(*transport, 1);
      control.barrier();
      return std::string();
    });
  });
  EXPECT_EQ(failure, "RunFailure: rank 1 expects 1000 bytes with tag 0x7 from rank 0, which sent 900");
}

TEST_P(UcxTransport, ADeadlinePassesAndWhatIsOutstandingIsNamed) {
  run_ranks(2, [&](Control& control) {
    const auto transport = make(control);
    Bytes data(1000);
    transport->receive(1 - control.rank(), 7, data, 1);
    std::vector<Completion> done;
    const auto begun = WallClock::now();
    require(!transport->wait(done, begun + std::chrono::milliseconds(50)), "nothing can have come");
    require(WallClock::now() - begun >= std::chrono::milliseconds(50), "too early");
    require(
        transport->outstanding() == fmt::format("waiting for 1000 bytes with tag 0x7 from rank {}", 1 - control.rank()),
        "{}", transport->outstanding());
    control.barrier();
    const Bytes source = filled(1000, 1);
    transport->send(1 - control.rank(), 7, source, 2);
    finish(*transport, 2);
    control.barrier();
    return std::string();
  });
}

INSTANTIATE_TEST_SUITE_P(Ways, UcxTransport,
                         testing::Combine(testing::Values("ucx", "ucx_put"),
                                          testing::Values("tcp,self", "posix,sysv,self")));

}  // namespace
}  // namespace lockstep::real

// Do profiles say what they mean, survive being written, and are wrong ones refused with position and remedy?
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/core/profiles.hpp"

namespace lockstep {
namespace {

using test::profile_error;
using test::profile_in;

const char* const full =
    "schema: lockstep.profile/1\n"
    "name: lab\n"
    "backend: tcp\n"
    "cores: 2\n"
    "start_latency: 40us\n"
    "start_overhead: 3us\n"
    "copy_bandwidth: 5GB/s\n"
    "reduction: {bandwidth: 3GB/s, granularity: 64KiB}\n"
    "tcp:\n"
    "  messages:\n"
    "    - {up_to: 1KiB, overhead: 5us, receive_overhead: 6us, latency: 20us}\n"
    "    - {overhead: 9us, send_bandwidth: 4GB/s, receive_bandwidth: 2.5GB/s}\n"
    "  framing: {packet_header: 52B, frame_header: 14B}\n"
    "  switch_overhead: 2us\n"
    "  message_header: 16B\n"
    "  eager_threshold: 256KiB\n"
    "  ordered: true\n"
    "  send_buffer: 600KiB\n"
    "measured: {host: a b, date: 2026-01-01, residuals: [0.1, -2e-3, ~, true], deep: {k: {}}}\n";

TEST(ProfileReader, IdealCostsNothing) {
  const Profile ideal = ideal_profile();
  EXPECT_EQ(ideal.name, "ideal");
  EXPECT_EQ(ideal.file, "");
  EXPECT_EQ(ideal.sha256.size(), 64U);
  EXPECT_TRUE(ideal.tcp.messages.empty());
  EXPECT_EQ(ideal.tcp.framing.packet_header, 0_B);
  EXPECT_FALSE(ideal.tcp.eager_threshold || ideal.reduction.costs() || !ideal.copies.empty() || ideal.cores);
  EXPECT_EQ(load_profile("ideal").sha256, ideal.sha256);
  EXPECT_EQ(test::message_of<InputError>([] { load_profile("./ideal"); }), "./ideal: no such file");
}

TEST(ProfileReader, ReadsEveryKey) {
  const Profile profile = profile_in(full);
  EXPECT_EQ(profile.name, "lab");
  EXPECT_EQ(profile.file, "p.yaml");
  EXPECT_EQ(profile.backend, "tcp");
  EXPECT_EQ(profile.cores, 2);
  ASSERT_EQ(profile.copies.size(), 1U);
  EXPECT_EQ(profile.copies.front().rate, 40_Gbps);
  EXPECT_EQ(profile.reduction.intervals.at(0).rate, 24_Gbps);
  EXPECT_EQ(profile.reduction.granularity, 64_KiB);
  ASSERT_EQ(profile.tcp.messages.size(), 2U);
  EXPECT_EQ(profile.tcp.messages[0].up_to, 1_KiB);
  EXPECT_EQ(profile.tcp.messages[0].overhead, microseconds(5));
  EXPECT_EQ(profile.tcp.messages[0].receive_overhead, microseconds(6));
  EXPECT_EQ(profile.tcp.messages[0].latency, microseconds(20));
  EXPECT_FALSE(profile.tcp.messages[0].send_bandwidth);
  EXPECT_FALSE(profile.tcp.messages[1].up_to);
  EXPECT_EQ(profile.tcp.messages[1].send_bandwidth, 32_Gbps);
  EXPECT_EQ(profile.tcp.messages[1].receive_bandwidth, 20_Gbps);
  EXPECT_EQ(profile.tcp.framing.packet_header, 52_B);
  EXPECT_EQ(profile.tcp.framing.frame_header, 14_B);
  EXPECT_EQ(profile.tcp.message_header, 16_B);
  EXPECT_EQ(profile.tcp.eager_threshold, 256_KiB);
  EXPECT_EQ(profile.tcp.switch_overhead, microseconds(2));
  EXPECT_EQ(profile.tcp.send_buffer, 600_KiB);
  EXPECT_EQ(profile.start_latency, microseconds(40));
  EXPECT_EQ(profile.start_overhead, microseconds(3));
  EXPECT_EQ(profile.measured.dump(),
            R"({"host":"a b","date":"2026-01-01","residuals":[0.1,-0.002,null,true],"deep":{"k":{}}})");
}

TEST(ProfileReader, KeysBesideMessagesReplaceThatFigureEverywhere) {
  const Profile alone = profile_in("name: p\ntcp: {overhead: 3us, receive_bandwidth: 1GB/s}\n");
  ASSERT_EQ(alone.tcp.messages.size(), 1U);
  EXPECT_FALSE(alone.tcp.messages[0].up_to);
  EXPECT_EQ(alone.tcp.messages[0].overhead, microseconds(3));
  EXPECT_EQ(alone.tcp.messages[0].receive_bandwidth, 8_Gbps);

  const Profile both = profile_in(full, {{"tcp.overhead", "3us"}});
  ASSERT_EQ(both.tcp.messages.size(), 2U);
  EXPECT_EQ(both.tcp.messages[0].overhead, microseconds(3));
  EXPECT_EQ(both.tcp.messages[1].overhead, microseconds(3));
  EXPECT_EQ(both.tcp.messages[0].receive_overhead, microseconds(6));
  EXPECT_EQ(both.tcp.messages[1].send_bandwidth, 32_Gbps);
  EXPECT_NE(both.sha256, profile_in(full).sha256);

  auto ideal = load_profile_document("ideal");
  config::set_key(ideal, "tcp.overhead", "3us");
  EXPECT_EQ(read_profile(ideal, "").tcp.messages.at(0).overhead, microseconds(3));
}

TEST(ProfileReader, RefusesWithPositionAndRemedy) {
  EXPECT_EQ(profile_error("backend: tcp\n"), "p.yaml:1:1: the profile lacks the key 'name'");
  EXPECT_EQ(profile_error("schema: lockstep.profile/2\nname: p\n"),
            "p.yaml:1:9: unknown profile format 'lockstep.profile/2'; did you mean 'lockstep.profile/1'? known: "
            "lockstep.profile/1");
  EXPECT_EQ(profile_error("name: p\ncores: 0\n"), "p.yaml:2:8: must be between 1 and 1000000, is 0");
  EXPECT_EQ(profile_error("name: p\ncopy_bandwidth: 0GB/s\n"), "p.yaml:2:17: must be positive, is 0bps");
  EXPECT_EQ(profile_error("name: p\ntcp: {overhead: 3}\n"),
            "p.yaml:2:17: '3' has no unit; a duration takes ps, ns, us, ms, s, min or h");
  EXPECT_EQ(
      profile_error("name: p\ntcp: {overheads: 3us}\n"),
      "p.yaml:2:7: unknown tcp key 'overheads'; did you mean 'overhead'? known: overhead, receive_overhead, "
      "latency, send_bandwidth, "
      "receive_bandwidth, messages, framing, switch_overhead, message_header, eager_threshold, send_buffer, copied, "
      "ordered");
  EXPECT_EQ(profile_error("name: p\ntcp: {send_buffer: 1KiB}\n"),
            "p.yaml:2:6: 'send_buffer' is a connection's: it needs 'ordered: true'");
  EXPECT_EQ(profile_error("name: p\ntcp: {messages: []}\n"), "p.yaml:2:17: needs at least 1 element");
  EXPECT_EQ(profile_error("name: p\ntcp: {messages: [{up_to: 1B}]}\n"),
            "p.yaml:2:18: the last interval has no 'up_to': it holds for all larger messages");
  EXPECT_EQ(profile_error("name: p\ntcp: {messages: [{latency: 1us}, {latency: 2us}]}\n"),
            "p.yaml:2:18: only the last interval may go without 'up_to'");
  EXPECT_EQ(profile_error("name: p\ntcp: {messages: [{up_to: 2B}, {up_to: 2B}, {}]}\n"),
            "p.yaml:2:31: 'up_to' must ascend: 2B after 2B");
  EXPECT_EQ(profile_error("name: p\nmeasured: [1]\n"), "p.yaml:2:11: expected a map, got a list");
  EXPECT_EQ(profile_error("name: p\nmeasured: {runs: 0x10}\n"),
            "p.yaml:2:18: '0x10' is not a plain decimal number (no leading zeros, no sign +, no 0x, no _)");
  EXPECT_EQ(profile_error("name: p\ntcp:\n"), "p.yaml:2:1: expected a map with the keys of a tcp, got nothing");
}

bool same(const Profile& a, const Profile& b) {
  const auto equal_costs = [](const MessageCost& x, const MessageCost& y) {
    return x.up_to == y.up_to && x.overhead == y.overhead && x.receive_overhead == y.receive_overhead &&
           x.latency == y.latency && x.send_bandwidth == y.send_bandwidth && x.receive_bandwidth == y.receive_bandwidth;
  };
  const auto equal_traffic = [](const std::vector<TrafficInterval>& x, const std::vector<TrafficInterval>& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const TrafficInterval& i, const TrafficInterval& j) {
      return i.up_to == j.up_to && i.overhead == j.overhead && i.rate == j.rate;
    });
  };
  return a.name == b.name && a.backend == b.backend && a.cores == b.cores && equal_traffic(a.copies, b.copies) &&
         equal_traffic(a.reduction.intervals, b.reduction.intervals) &&
         a.reduction.granularity == b.reduction.granularity &&
         std::equal(a.tcp.messages.begin(), a.tcp.messages.end(), b.tcp.messages.begin(), b.tcp.messages.end(),
                    equal_costs) &&
         a.tcp.framing.packet_header == b.tcp.framing.packet_header &&
         a.tcp.framing.frame_header == b.tcp.framing.frame_header && a.tcp.message_header == b.tcp.message_header &&
         a.tcp.eager_threshold == b.tcp.eager_threshold && a.tcp.copied == b.tcp.copied &&
         a.tcp.ordered == b.tcp.ordered && a.tcp.switch_overhead == b.tcp.switch_overhead &&
         a.tcp.send_buffer == b.tcp.send_buffer && a.start_latency == b.start_latency &&
         a.start_overhead == b.start_overhead && a.measured == b.measured;
}

TEST(ProfileReader, OneBandwidthReplacesThatOfCopiesBySize) {
  const Profile profile =
      profile_in("name: p\ncopies: {intervals: [{up_to: 1MiB, bandwidth: 2GB/s}, {bandwidth: 1GB/s}]}\n");
  ASSERT_EQ(profile.copies.size(), 2U);
  EXPECT_EQ(profile.copies[0].rate, 16_Gbps);
  const Profile replaced = profile_in("name: p\ncopies: {bandwidth: 2GB/s}\ncopy_bandwidth: 1GB/s\n");
  ASSERT_EQ(replaced.copies.size(), 1U);
  EXPECT_EQ(replaced.copies[0].rate, 8_Gbps);
}

TEST(ProfileWriter, WritesWhatTheReaderReads) {
  EXPECT_TRUE(same(profile_in(to_yaml(profile_in(full))), profile_in(full)));
  EXPECT_TRUE(same(profile_in(to_yaml(ideal_profile())), ideal_profile()));
  EXPECT_TRUE(rc::check("any profile survives being written", [] {
    const auto amount = [](std::int64_t least) {
      return *rc::gen::inRange<std::int64_t>(least, std::int64_t{1} << 50);
    };
    Profile profile;
    profile.name =
        *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab: #\"'{[10~%&*true-\\"))));
    if (*rc::gen::arbitrary<bool>()) profile.cores = *rc::gen::inRange(1, 1000);
    if (*rc::gen::arbitrary<bool>()) profile.copies = at_bandwidth(Bandwidth::bits_per_second(amount(1)));
    if (!profile.copies.empty() && *rc::gen::arbitrary<bool>())
      profile.copies.insert(profile.copies.begin(),
                            {Bytes{amount(1)}, Duration{amount(0)}, Bandwidth::bits_per_second(amount(1))});
    profile.reduction.granularity = Bytes{amount(0)};
    profile.start_latency = Duration{amount(0)};
    profile.start_overhead = Duration{amount(0)};
    profile.tcp.switch_overhead = Duration{amount(0)};
    profile.tcp.copied = *rc::gen::arbitrary<bool>();
    profile.tcp.ordered = *rc::gen::arbitrary<bool>();
    if (profile.tcp.ordered && *rc::gen::arbitrary<bool>()) profile.tcp.send_buffer = Bytes{amount(0)};
    const int intervals = *rc::gen::inRange(0, 4);
    for (int i = 0; i < intervals; ++i) {
      MessageCost cost;
      if (i + 1 < intervals) cost.up_to = Bytes{(i + 1) * 1000};
      cost.overhead = Duration{amount(0)};
      cost.receive_overhead = Duration{amount(0)};
      cost.latency = Duration{amount(0)};
      if (*rc::gen::arbitrary<bool>()) cost.send_bandwidth = Bandwidth::bits_per_second(amount(1));
      profile.tcp.messages.push_back(cost);
    }
    profile.measured = config::Json::object();
    profile.measured[profile.name] = {
        {"text", profile.name}, {"number", static_cast<double>(amount(0)) / 7.0}, {"list", {1, "2", nullptr}}};
    RC_ASSERT(same(profile_in(to_yaml(profile)), profile));
  }));
}

}  // namespace
}  // namespace lockstep

// Is every text that states a quantity read exactly, and every other one refused with a message that helps?
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

#include "core/base/error.hpp"
#include "core/units/parse.hpp"
#include "core/units/work.hpp"
#include "tests/core/messages.hpp"

namespace lockstep {
namespace {

using test::message_of;

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

std::string duration_error(std::string_view text) {
  return message_of<UnitError>([&] { parse_duration(text); });
}
std::string bytes_error(std::string_view text) {
  return message_of<UnitError>([&] { parse_bytes(text); });
}
std::string bandwidth_error(std::string_view text) {
  return message_of<UnitError>([&] { parse_bandwidth(text); });
}
std::string fraction_error(std::string_view text) {
  return message_of<UnitError>([&] { parse_fraction(text); });
}

TEST(Units, ReadsWorkRatesAndCounts) {
  EXPECT_EQ(parse_flops("7flop"), Flops{7});
  EXPECT_EQ(parse_flops("1.5Mflop"), Flops{1'500'000});
  EXPECT_EQ(parse_flops("2Pflop"), Flops{2'000'000'000'000'000});
  EXPECT_EQ(parse_flop_rate("2.5Gflop/s"), FlopRate::per_second(2'500'000'000));
  EXPECT_EQ(parse_count("4096"), 4096);
  EXPECT_EQ(parse_count("0"), 0);
  EXPECT_EQ(parse_count("1.5k"), 1500);
  EXPECT_EQ(parse_count("3Mi"), 3 << 20);
  EXPECT_EQ(work_time(Flops{3}, FlopRate::per_second(2'000'000'000)), picoseconds(1500));
  EXPECT_EQ(work_time(Flops{0}, FlopRate::per_second(0)), Duration{0});
  const auto flops_error = [](std::string_view text) { return message_of<UnitError>([&] { parse_flops(text); }); };
  EXPECT_EQ(
      flops_error("2Gflops"),
      "'2Gflops' has the unknown unit 'Gflops'; did you mean 'Gflop'? A number of floating-point operations takes "
      "flop, kflop, Mflop, Gflop, Tflop or Pflop");
  EXPECT_EQ(flops_error("2GB"),
            "'2GB' is a size, not a number of floating-point operations; a number of floating-point operations takes "
            "flop, kflop, Mflop, Gflop, Tflop or Pflop");
  EXPECT_EQ(message_of<UnitError>([] { parse_count("8K"); }),
            "'8K' has the unknown unit 'K'; did you mean 'k' (1000) or 'Ki' (1024)? A count takes k, M, G or T (powers "
            "of 1000), Ki, Mi, Gi or Ti");
  for (const char* text : {"", "-1", "+1", "08", "1.5", "1e3", "k", "8 x", "0x10", "99999999999999999999"})
    EXPECT_NE(message_of<UnitError>([&] { parse_count(text); }), "(no error)") << text;
  EXPECT_TRUE(rc::check("work survives being written", [] {
    const auto any = *rc::gen::inRange<std::int64_t>(0, largest);
    RC_ASSERT(parse_flops(to_text(Flops{any})) == Flops{any});
    RC_ASSERT(parse_flop_rate(to_text(FlopRate::per_second(any))) == FlopRate::per_second(any));
  }));
}

TEST(Units, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration("7ps"), picoseconds(7));
  EXPECT_EQ(parse_duration("7ns"), nanoseconds(7));
  EXPECT_EQ(parse_duration("2us"), microseconds(2));
  EXPECT_EQ(parse_duration("2.5ms"), microseconds(2500));
  EXPECT_EQ(parse_duration("3s"), seconds(3));
  EXPECT_EQ(parse_duration("2min"), seconds(120));
  EXPECT_EQ(parse_duration("1.5h"), seconds(5400));
  EXPECT_EQ(parse_bytes("0B"), 0_B);
  EXPECT_EQ(parse_bytes("1kB"), 1000_B);
  EXPECT_EQ(parse_bytes("1KiB"), 1_KiB);
  EXPECT_EQ(parse_bytes("3MB"), 3'000'000_B);
  EXPECT_EQ(parse_bytes("3MiB"), 3_MiB);
  EXPECT_EQ(parse_bytes("80GB"), 80'000'000'000_B);
  EXPECT_EQ(parse_bytes("80GiB"), 80_GiB);
  EXPECT_EQ(parse_bytes("2TB"), 2'000'000'000'000_B);
  EXPECT_EQ(parse_bytes("2TiB"), 2048_GiB);
  EXPECT_EQ(parse_bandwidth("9bps").bits_per_second(), 9);
  EXPECT_EQ(parse_bandwidth("9kbps").bits_per_second(), 9'000);
  EXPECT_EQ(parse_bandwidth("100Mbps"), 100_Mbps);
  EXPECT_EQ(parse_bandwidth("400 Gbps"), 400_Gbps);
  EXPECT_EQ(parse_bandwidth("1.6Tbps"), 1600_Gbps);
  EXPECT_EQ(parse_bandwidth("1B/s").bits_per_second(), 8);
  EXPECT_EQ(parse_bandwidth("1kB/s").bits_per_second(), 8'000);
  EXPECT_EQ(parse_bandwidth("1MB/s"), 8_Mbps);
  EXPECT_EQ(parse_bandwidth("50GB/s"), 400_Gbps);
  EXPECT_EQ(parse_bandwidth("1TB/s"), 8000_Gbps);
  EXPECT_EQ(parse_bandwidth("1KiB/s").bits_per_second(), 8192);
  EXPECT_EQ(parse_bandwidth("1MiB/s").bits_per_second(), 8 << 20);
  EXPECT_EQ(parse_bandwidth("1GiB/s").bits_per_second(), 8LL << 30);
  EXPECT_EQ(parse_fraction("0.1%"), 0.001);
  EXPECT_EQ(parse_fraction("0.001"), 0.001);
  EXPECT_EQ(parse_fraction("100%"), 1.0);
  EXPECT_EQ(parse_fraction("1e-6"), 1e-6);
  EXPECT_EQ(parse_fraction("29%"), 0.29);  // 29 / 100 in doubles too, but 0.57 * 100 is not 57
}

TEST(Units, IsExactAtTheEdges) {
  EXPECT_EQ(parse_duration("9223372.036854775807s").count(), largest);
  EXPECT_EQ(parse_bytes("9223372036854775807B").count(), largest);
  EXPECT_EQ(parse_bandwidth("9223372036854775807bps").bits_per_second(), largest);
  EXPECT_EQ(parse_bytes("0.5KiB"), 512_B);
  EXPECT_EQ(parse_bytes("1.000000000000000000000000KiB"), 1_KiB);
  EXPECT_EQ(parse_duration("0.000000000001s"), picoseconds(1));
}

TEST(Units, RefusesWithAMessageThatHelps) {
  EXPECT_EQ(duration_error("5"), "'5' has no unit; a duration takes ps, ns, us, ms, s, min or h");
  EXPECT_EQ(duration_error(""), "'' is not a duration; write a number and its unit: ps, ns, us, ms, s, min or h");
  EXPECT_EQ(duration_error("-5us"), "'-5us' is negative; a duration is 0 or more");
  EXPECT_EQ(duration_error("5 us "),
            "'5 us ' has the unknown unit 'us '; did you mean 'us'? A duration takes ps, ns, us, ms, s, min or h");
  EXPECT_EQ(duration_error("5US"),
            "'5US' has the unknown unit 'US'; did you mean 'us'? A duration takes ps, ns, us, ms, s, min or h");
  EXPECT_EQ(
      duration_error("5\xC2\xB5s"),
      "'5\xC2\xB5s' has the unknown unit '\xC2\xB5s'; did you mean 'us'? A duration takes ps, ns, us, ms, s, min or h");
  EXPECT_EQ(duration_error("5m"),
            "'5m' has the unknown unit 'm'; did you mean 'ms' or 'min'? A duration takes ps, ns, us, ms, s, min or h");
  EXPECT_EQ(duration_error("5parsec"),
            "'5parsec' has the unknown unit 'parsec'; a duration takes ps, ns, us, ms, s, min or h");
  EXPECT_EQ(duration_error("010us"), "'010us' has a leading zero; write it without");
  EXPECT_EQ(duration_error("1e3us"), "'1e3us' has an exponent; write the number out, or take a larger unit");
  EXPECT_EQ(duration_error("0.5ps"), "'0.5ps' is not a whole number of picoseconds");
  EXPECT_EQ(duration_error("9223372.036854775808s"),
            "'9223372.036854775808s' is too large; the largest duration is 9223372036854775807 picoseconds");
  EXPECT_EQ(duration_error("99999999999999999999h"),
            "'99999999999999999999h' is too large; the largest duration is 9223372036854775807 picoseconds");
  EXPECT_EQ(duration_error("0.1234567890123456789s"),
            "'0.1234567890123456789s' has more than 18 digits behind the point");
  const std::string bytes = " size takes B, kB, MB, GB or TB (powers of 1000), KiB, MiB, GiB or TiB (powers of 1024)";
  EXPECT_EQ(bytes_error("1024"), "'1024' has no unit; a" + bytes);
  EXPECT_EQ(bytes_error("1KB"),
            "'1KB' has the unknown unit 'KB'; did you mean 'kB' (1000 bytes) or 'KiB' (1024 bytes)? A" + bytes);
  EXPECT_EQ(bytes_error("1G"),
            "'1G' has the unknown unit 'G'; did you mean 'GiB' (2^30 bytes) or 'GB' (10^9 bytes)? A" + bytes);
  EXPECT_EQ(bytes_error("1gib"), "'1gib' has the unknown unit 'gib'; did you mean 'GiB'? A" + bytes);
  EXPECT_EQ(bytes_error("1Gbps"), "'1Gbps' is a bandwidth, not a size; a" + bytes);
  EXPECT_EQ(bytes_error("1.5B"), "'1.5B' is not a whole number of bytes");
  EXPECT_EQ(bytes_error("0x10B"), "'0x10B' has the unknown unit 'x10B'; a" + bytes);
  EXPECT_EQ(bytes_error(".5KiB"),
            "'.5KiB' is not a size; write a number and its unit: B, kB, MB, GB or TB (powers of 1000), KiB, MiB, GiB "
            "or TiB (powers of 1024)");
  const std::string bandwidths =
      " bandwidth takes bps, kbps, Mbps, Gbps or Tbps (bits), B/s, kB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s or GiB/s "
      "(bytes)";
  EXPECT_EQ(bandwidth_error("1000000000"), "'1000000000' has no unit; a" + bandwidths);
  EXPECT_EQ(bandwidth_error("1gbps"), "'1gbps' has the unknown unit 'gbps'; did you mean 'Gbps'? A" + bandwidths);
  EXPECT_EQ(bandwidth_error("50GB"), "'50GB' is a size, not a bandwidth; did you mean 'GB/s'? A" + bandwidths);
  EXPECT_EQ(bandwidth_error("50GBps"),
            "'50GBps' has the unknown unit 'GBps'; did you mean 'GB/s' (bytes)? A" + bandwidths);
  EXPECT_EQ(bandwidth_error("1Gbit/s"), "'1Gbit/s' has the unknown unit 'Gbit/s'; did you mean 'Gbps'? A" + bandwidths);
  EXPECT_EQ(bandwidth_error("1G"),
            "'1G' has the unknown unit 'G'; did you mean 'Gbps' (bits) or 'GB/s' (bytes)? A" + bandwidths);
  EXPECT_EQ(bandwidth_error("5us"), "'5us' is a duration, not a bandwidth; a" + bandwidths);
  EXPECT_EQ(bandwidth_error("-1Gbps"), "'-1Gbps' is negative; a bandwidth is 0 or more");
  EXPECT_EQ(bandwidth_error("2000000000GB/s"),
            "'2000000000GB/s' is too large; the largest bandwidth is 9223372036854775807 bits per second");
  EXPECT_EQ(fraction_error("half"), "'half' is not a fraction; write 0.1% or 0.001");
  EXPECT_EQ(fraction_error("%"), "'%' is not a fraction; write 0.1% or 0.001");
  EXPECT_EQ(fraction_error("01%"), "'01%' has a leading zero; write it without");
  EXPECT_EQ(fraction_error("1e999"), "'1e999' is out of range");
  EXPECT_EQ(fraction_error("1e1%"), "'1e1%' is not a fraction; write 0.1% or 0.001");
}

TEST(Units, WritesWhatItReads) {
  EXPECT_EQ(to_text(nanoseconds(2500)), "2500ns");
  EXPECT_EQ(to_text(Duration{0}), "0s");
  EXPECT_EQ(to_text(16_MiB), "16777216B");
  EXPECT_EQ(to_text(1_Gbps), "1Gbps");
  EXPECT_EQ(to_text(Bandwidth{}), "0bps");
  EXPECT_TRUE(rc::check("a quantity survives its text", [](std::uint64_t bits) {
    const auto value = static_cast<std::int64_t>(bits >> (1 + bits % 60));
    RC_ASSERT(parse_duration(to_text(Duration{value})) == Duration{value});
    RC_ASSERT(parse_bytes(to_text(Bytes{value})) == Bytes{value});
    RC_ASSERT(parse_bandwidth(to_text(Bandwidth::bits_per_second(value))) == Bandwidth::bits_per_second(value));
  }));
}

TEST(Units, RoundsForPeople) {
  EXPECT_EQ(format_duration(picoseconds(250)), "250ps");
  EXPECT_EQ(format_duration(picoseconds(12'345'678)), "12.3us");
  EXPECT_EQ(format_duration(microseconds(1500)), "1.5ms");
  EXPECT_EQ(format_duration(picoseconds(999'600)), "1us");
  EXPECT_EQ(format_duration(seconds(5400)), "5400s");
  EXPECT_EQ(format_duration(Duration{0}), "0s");
  EXPECT_EQ(format_duration(-nanoseconds(20)), "-20ns");
  EXPECT_EQ(format_bytes(16_MiB), "16MiB");
  EXPECT_EQ(format_bytes(1000_B), "1000B");
  EXPECT_EQ(format_bytes(1536_B), "1.5KiB");
  EXPECT_EQ(format_bytes(Bytes{(1 << 20) - 1}), "1MiB");
  EXPECT_EQ(format_bandwidth(1_Gbps), "1Gbps");
  EXPECT_EQ(format_bandwidth(100_Mbps), "100Mbps");
  EXPECT_EQ(format_bandwidth(Bandwidth::bits_per_second(123'456'789)), "123Mbps");
}

TEST(Units, TransferTimeIsTheNearestPicosecond) {
  EXPECT_EQ(transfer_time(0_B, Bandwidth{}), Duration{0});
  EXPECT_EQ(transfer_time(1_MiB, 1_Gbps), nanoseconds(8'388'608));
  EXPECT_EQ(transfer_time(1_B, Bandwidth::bits_per_second(3)), picoseconds(2'666'666'666'667));
  EXPECT_EQ(transfer_time(Bytes{largest}, Bandwidth::bits_per_second(largest)), seconds(8));
  EXPECT_EQ(message_of<InputError>([] { transfer_time(1024_GiB, Bandwidth::bits_per_second(1)); }),
            "moving 1TiB at 1bps takes more than the 106 days that a duration covers");
  EXPECT_THROW(transfer_time(1_B, Bandwidth{}), BrokenInvariant);
}

TEST(Units, ScalesAndConvertsSeconds) {
  EXPECT_EQ(scale(1_Gbps, 0.5), 500_Mbps);
  EXPECT_EQ(scale(Bandwidth::bits_per_second(3), 0.5).bits_per_second(), 2);
  EXPECT_THROW(scale(Bandwidth::bits_per_second(largest), 2.0), InputError);
  EXPECT_EQ(from_seconds(1e-12), picoseconds(1));
  EXPECT_EQ(from_seconds(-2.5e-6), -nanoseconds(2500));
  EXPECT_EQ(from_seconds(4503.599627370497), picoseconds(4503599627370497));
  EXPECT_THROW(from_seconds(1e9), InputError);
  EXPECT_THROW(from_seconds(std::numeric_limits<double>::quiet_NaN()), InputError);
}

}  // namespace
}  // namespace lockstep

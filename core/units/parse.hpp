// Text to quantities. A number carries its unit: "400Gbps" (bits), "50GB/s" (bytes), "2us", "1GiB"; a bare number where
// a unit belongs is an error that names the units allowed. Values are parsed as decimals, exactly, never through a
// double.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

/// What is wrong with the text, without a position (the reader adds it): "'5' has no unit; write ps, ns, us, ms, s,
/// ...".
class UnitError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

Duration parse_duration(std::string_view text);  ///< ps ns us ms s min h
Bytes parse_bytes(std::string_view text);        ///< B kB MB GB TB KiB MiB GiB TiB
Bandwidth parse_bandwidth(
    std::string_view text);  ///< bps kbps Mbps Gbps Tbps (bits), B/s kB/s MB/s GB/s TB/s KiB/s MiB/s GiB/s (bytes)
double parse_fraction(std::string_view text);  ///< "0.1%" or "0.001"

/// The canonical text that parses back to exactly the same value ("1Gbps", "2500ns", "16777216B"), for files we write.
std::string to_text(Duration d);
std::string to_text(Bytes b);
std::string to_text(Bandwidth b);

}  // namespace lockstep

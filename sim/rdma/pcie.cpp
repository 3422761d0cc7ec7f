#include "sim/rdma/pcie.hpp"

#include <algorithm>

#include "core/base/error.hpp"

namespace lockstep::sim::rdma {
namespace {

/// value * a / b to the nearest, in 128 bits; all positive.
std::int64_t ratio(std::int64_t value, std::int64_t a, std::int64_t b) {
  const auto product = static_cast<__int128>(value) * a;
  return static_cast<std::int64_t>((product + b / 2) / b);
}

}  // namespace

Bandwidth pcie_payload_rate(int generation, int lanes, Bytes max_payload) {
  LOCKSTEP_CHECK(generation >= 3 && generation <= 6 && lanes > 0, "PCIe generation {} with {} lanes", generation,
                 lanes);
  const std::int64_t raw = (std::int64_t{8'000'000'000} << (generation - 3)) * lanes;
  const std::int64_t coded = generation == 6 ? ratio(raw, 242, 256) : ratio(raw, 128, 130);
  const std::int64_t m = max_payload.count();
  return Bandwidth::bits_per_second(ratio(coded, 4 * m, 4 * (m + 26) + 16));
}

Bandwidth at_max_payload(Bandwidth rate_at_256, Bytes max_payload) {
  const std::int64_t m = max_payload.count(), usual = default_max_payload.count();
  const std::int64_t raw = ratio(rate_at_256.bits_per_second(), 4 * (usual + 26) + 16, 4 * usual);
  return Bandwidth::bits_per_second(ratio(raw, 4 * m, 4 * (m + 26) + 16));
}

Dma with_read_limit(Dma dma, Bytes max_read_request, std::int64_t outstanding_reads) {
  dma.read_rate = dma.rate;
  const std::int64_t round_trip = dma.round_trip().count();
  if (round_trip > 0) {
    const std::int64_t in_flight_bits = 8 * max_read_request.count() * outstanding_reads;
    const auto limit = static_cast<__int128>(in_flight_bits) * 1'000'000'000'000 / round_trip;
    if (limit < dma.rate.bits_per_second())
      dma.read_rate = Bandwidth::bits_per_second(static_cast<std::int64_t>(limit));
  }
  return dma;
}

}  // namespace lockstep::sim::rdma

// Errors of the model against tables, by band of sizes; the fit of its constants; what a system's own two or three
// numbers bring.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "bench/accuracy/tables.hpp"

namespace lockstep::accuracy {

/// Relative errors |predicted - measured| / measured of the rows of a band.
struct Errors {
  std::vector<double> values;
  [[nodiscard]] bool empty() const { return values.empty(); }
  [[nodiscard]] double median() const;
  [[nodiscard]] double p90() const;  ///< the least value that nine tenths of the rows do not exceed
  void add(const Errors& other) { values.insert(values.end(), other.values.begin(), other.values.end()); }
};

/// >= 256 MiB, >= 1 MiB (which has the first in it), below 1 MiB.
enum Band { large, middle, small, band_count };
inline constexpr std::array<const char*, band_count> band_names{">= 256 MiB", ">= 1 MiB", "< 1 MiB"};
using ByBand = std::array<Errors, band_count>;

ByBand errors_of(const Table& table, const sim::nccl::Constants& constants = sim::nccl::fitted_constants());

/// The constants that fit these tables best, from `start`: cyclic search over the free constants, each between a
/// sixth and six times its start, by the mean of |log(predicted / measured)|, every band of every table weighing the
/// same.
sim::nccl::Constants fit(std::span<const Table> tables, const sim::nccl::Constants& start, int rounds);

/// Every table predicted by constants that were fitted on all the others, starting from `start`.
std::vector<ByBand> leave_one_out(std::span<const Table> tables, const sim::nccl::Constants& start, int rounds);

/// Every fourth size fits {offset, scale, transport latency}; the errors are those of the other sizes.
ByBand with_system_correction(const Table& table);

}  // namespace lockstep::accuracy

// How a measured time stands in the JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "real/gpu/cuda/timing.hpp"

namespace lockstep::real::gpu {

/// "time_s" (median), "min_s", "p95_s", "iterations": as in a result's collectives.
inline void put(nlohmann::ordered_json& row, const Times& times) {
  row["time_s"] = times.median_s;
  row["min_s"] = times.min_s;
  row["p95_s"] = times.p95_s;
  row["iterations"] = times.repetitions;
}

/// "GBps": 10^9 bytes per second.
inline void put_rate(nlohmann::ordered_json& row, double bytes, const Times& times) {
  row["GBps"] = bytes / times.median_s * 1e-9;
}

}  // namespace lockstep::real::gpu

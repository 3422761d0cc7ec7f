// The job of ranks that run one per host of the lab.
#pragma once

#include <cstdint>

#include "real/lab/network.hpp"
#include "real/launch/control.hpp"

namespace lockstep::real {

inline constexpr std::uint16_t lab_port = 29500;  ///< inside the lab's own network namespaces nothing else listens

inline JobEnvironment lab_job(const LabNetwork& network, int rank, int ranks) {
  JobEnvironment environment;
  environment.rank = rank;
  environment.size = ranks;
  environment.master_address = network.address(0);
  environment.master_port = lab_port;
  environment.own_address = network.address(rank);
  environment.launcher = "lab";
  return environment;
}

}  // namespace lockstep::real

// Ranks that have to be started by mpirun, because the library of their transport gets its job from there: this program
// writes the plan and the options down, mpirun starts it once more for every rank (`lockstep rank FOLDER`), and what
// became of the ranks is read from the same folder.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "real/measure/measurement.hpp"

namespace lockstep::real {

struct MpirunJob {
  std::string program;                 ///< that mpirun starts; empty: this one
  std::string folder;                  ///< to make the job's folder in; empty: that for temporary files
  std::vector<std::string> arguments;  ///< of mpirun, besides the number of ranks
  std::string master_address;          ///< of rank 0
  std::uint16_t master_port = 0;
  std::function<void()> enter;  ///< in mpirun's process, before it begins (joins a namespace); may be empty
};

struct MpirunResult {
  std::string measured;  ///< as measure_rank gives it at rank 0
  std::string said;      ///< what mpirun and the ranks wrote: nothing, as a rule
};

/// Throws InputError where there is no mpirun, and what a rank threw, the cause before its consequences.
MpirunResult measure_with_mpirun(const MpirunJob& job, const Plan& plan, const MeasurementOptions& options);

/// What `lockstep rank FOLDER` does; returns the exit code.
int run_started_rank(const std::string& folder);

/// All ranks on this machine by mpirun.
Measurement measure_with_local_mpirun(const Plan& plan, const MeasurementOptions& options);

}  // namespace lockstep::real

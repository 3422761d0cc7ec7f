// What one GPU and its software do, measured: the sections of scripts/gpu_check.sh.
//
// Each section returns JSON (docs/gpu.md has its keys); a table of rows where a number depends on a size. What is wrong
// rather than slow (a kernel whose result differs, a library that is not there) is a finding, and the program fails by
// it.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace lockstep::real::gpu {

struct MeasureSettings {
  bool quick = false;                 ///< few sizes: does everything work?
  std::vector<int> nccl_ranks{2, 4};  ///< numbers of processes that share the GPU
  std::string sharing = "as found";   ///< how processes share the GPU, as the caller has set it up: for the rows
  std::string program;                ///< path of this program, which starts itself as the ranks of NCCL
  std::string folder;                 ///< where NCCL's logs go
};

struct Finding {
  std::string name;
  bool passed = false;
  std::string message;  ///< what was compared, and what was seen
};

struct SectionResult {
  nlohmann::ordered_json values;
  std::vector<Finding> findings;
};

struct Section {
  std::string name;
  std::string description;
  SectionResult (*measure)(const MeasureSettings&);
};

std::span<const Section> section_catalogue();

// What each section does is told where it is defined. All throw RunFailure where the device or a library refuses.
SectionResult describe_device(const MeasureSettings& settings);
SectionResult check_kernels(const MeasureSettings& settings);
SectionResult measure_launches(const MeasureSettings& settings);
SectionResult measure_copies(const MeasureSettings& settings);
SectionResult measure_allocations(const MeasureSettings& settings);
SectionResult measure_kernels(const MeasureSettings& settings);
SectionResult measure_products(const MeasureSettings& settings);
SectionResult measure_overlap(const MeasureSettings& settings);
SectionResult measure_nccl(const MeasureSettings& settings);

/// What a rank of NCCL does: every collective checked and timed; the same of all_reduce alone; or each called once at
/// every size, so that NCCL's log tells what it chose.
enum class NcclTask { everything, all_reduce, choices };

/// One rank of measure_nccl: called in the process that it started. Returns the exit code.
struct NcclRank {
  int rank = 0, size = 1;
  std::string folder;  ///< shared by the ranks: the id, and each rank's result
  NcclTask task = NcclTask::everything;
  bool quick = false;
};
int run_nccl_rank(const NcclRank& rank);

/// Number of CUDA devices; 0 with the reason in `why` where there is none (no driver, no GPU).
int count_devices(std::string& why);

}  // namespace lockstep::real::gpu

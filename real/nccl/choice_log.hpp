// What NCCL says of its choices, read from its log without a log of every call: on while collectives are tried before
// anything is timed, off afterwards.
#pragma once

#include <string>

#include "real/gpu/cuda/nccl_library.hpp"

namespace lockstep::real {

class ChoiceLog {
 public:
  /// Before NCCL is used: its log goes to memory. Leaves all as it is where the user has asked for a log (NCCL_DEBUG).
  ChoiceLog();

  /// From here on NCCL logs. Needs ncclResetDebugInit, which NCCL has from 2.24.3 on and does not promise to keep.
  void begin(const gpu::NcclLibrary& nccl);
  /// Ends that; the text since then. Empty where begin() could do nothing.
  [[nodiscard]] std::string end();

 private:
  void set_level(const char* level) const;

  int memory_ = -1;  // open for as long as the process: NCCL may open it again at any time
  void (*reset_)() = nullptr;
};

}  // namespace lockstep::real

#include "real/nccl/choice_log.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

namespace lockstep::real {

ChoiceLog::ChoiceLog() {
  if (std::getenv("NCCL_DEBUG") != nullptr) return;
  memory_ = ::memfd_create("nccl_log", 0);
  if (memory_ < 0) return;
  // The variables are there before NCCL has threads that may read them; later only their values change.
  ::setenv("NCCL_DEBUG_FILE", fmt::format("/proc/self/fd/{}", memory_).c_str(), 1);
  ::setenv("NCCL_DEBUG_SUBSYS", "TUNING", 1);
  set_level("WARN");
}

void ChoiceLog::set_level(const char* level) const { ::setenv("NCCL_DEBUG", level, 1); }

void ChoiceLog::begin(const gpu::NcclLibrary& nccl) {
  if (memory_ < 0) return;
  reset_ = nccl.library.find<void()>("ncclResetDebugInit");
  if (reset_ == nullptr) return;
  set_level("INFO");
  reset_();
}

std::string ChoiceLog::end() {
  if (reset_ == nullptr) return {};
  std::string text;
  char piece[4096];
  for (off_t at = 0;;) {
    const auto got = ::pread(memory_, piece, sizeof piece, at);
    if (got <= 0) break;
    text.append(piece, static_cast<std::size_t>(got));
    at += got;
  }
  set_level("WARN");
  reset_();
  reset_ = nullptr;
  return text;
}

}  // namespace lockstep::real

// NCCL, opened at run time (libnccl.so.2). Its ABI is stable within version 2.
#pragma once

#include <nccl.h>

#include <optional>
#include <string>

#include "core/plan/types.hpp"
#include "real/library/shared_library.hpp"

namespace lockstep::real::gpu {

struct NcclLibrary {
  /// Throws RunFailure where a function is missing.
  explicit NcclLibrary(SharedLibrary from);

  SharedLibrary library;
  decltype(&ncclGetVersion) get_version;
  decltype(&ncclGetErrorString) error_string;
  decltype(&ncclGetLastError) last_error;
  decltype(&ncclGetUniqueId) get_unique_id;
  decltype(&ncclCommInitRank) init_rank;
  decltype(&ncclCommInitRankConfig) init_rank_config;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclCommGetAsyncError) get_async_error;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclReduceScatter) reduce_scatter;
  decltype(&ncclBroadcast) broadcast;
  decltype(&ncclReduce) reduce;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) receive;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;

  /// "2.28.9"
  [[nodiscard]] std::string version_text() const;
  /// Throws RunFailure with NCCL's own words.
  void check(ncclResult_t status, const char* what) const;
};

ncclDataType_t nccl_type(ElementType type);
ncclRedOp_t nccl_reduction(Reduction reduction);

/// nullopt where the library is not there, with the reason in `missing`.
std::optional<NcclLibrary> open_nccl(std::string& missing);

}  // namespace lockstep::real::gpu

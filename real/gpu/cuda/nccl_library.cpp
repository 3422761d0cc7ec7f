#include "real/gpu/cuda/nccl_library.hpp"

#include <utility>

#include "core/base/error.hpp"

namespace lockstep::real::gpu {

NcclLibrary::NcclLibrary(SharedLibrary from) : library(std::move(from)) {
  const auto find = [&](auto& pointer, const char* name) {
    pointer = library.need<std::remove_pointer_t<std::remove_reference_t<decltype(pointer)>>>(name);
  };
  find(get_version, "ncclGetVersion");
  find(error_string, "ncclGetErrorString");
  find(last_error, "ncclGetLastError");
  find(get_unique_id, "ncclGetUniqueId");
  find(init_rank, "ncclCommInitRank");
  find(init_rank_config, "ncclCommInitRankConfig");
  find(destroy, "ncclCommDestroy");
  find(abort, "ncclCommAbort");
  find(get_async_error, "ncclCommGetAsyncError");
  find(all_reduce, "ncclAllReduce");
  find(all_gather, "ncclAllGather");
  find(reduce_scatter, "ncclReduceScatter");
  find(broadcast, "ncclBroadcast");
  find(reduce, "ncclReduce");
  find(send, "ncclSend");
  find(receive, "ncclRecv");
  find(group_start, "ncclGroupStart");
  find(group_end, "ncclGroupEnd");
}

std::string NcclLibrary::version_text() const {
  int version = 0;
  check(get_version(&version), "ncclGetVersion");
  return fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
}

void NcclLibrary::check(ncclResult_t status, const char* what) const {
  if (status == ncclSuccess || status == ncclInProgress) return;
  throw RunFailure(fmt::format("{}: {} ({})", what, error_string(status), last_error(nullptr)));
}

ncclDataType_t nccl_type(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return ncclFloat32;
    case ElementType::float64:
      return ncclFloat64;
    case ElementType::int32:
      return ncclInt32;
    case ElementType::bfloat16:
      return ncclBfloat16;
  }
  return ncclFloat32;
}

ncclRedOp_t nccl_reduction(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return ncclSum;
    case Reduction::max:
      return ncclMax;
    case Reduction::min:
      return ncclMin;
    case Reduction::average:
      return ncclAvg;
  }
  return ncclSum;
}

std::optional<NcclLibrary> open_nccl(std::string& missing) {
  SharedLibrary library({"libnccl.so.2", "libnccl.so"});
  if (!library.is_open()) {
    missing = library.error();
    return std::nullopt;
  }
  return NcclLibrary(std::move(library));
}

}  // namespace lockstep::real::gpu

// What the stand-ins for CUDA and NCCL share: how one of them puts work on a stream of the other.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace lockstep::test {

/// Runs `work` on the stream's thread, after all that was put there before.
void put_on_stream(cudaStream_t stream, std::function<void()> work);
/// CUDA's number of the device of this process.
int current_device();
/// A pause of up to so many microseconds, so that what may happen in any order does.
void dawdle(unsigned most_us);

}  // namespace lockstep::test

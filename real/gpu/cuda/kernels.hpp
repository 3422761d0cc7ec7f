// Our own kernels: they stream through device memory, so what counts is the share of the device's copy bandwidth that
// they reach. Pointers of combine, finish_average and copy need the alignment of their elements only; where source and
// target are aligned alike, 16 bytes are moved at a time. The arrays of all other kernels begin at multiples of 16
// bytes. Every function enqueues on `stream` and returns; it throws RunFailure if the launch is refused.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "core/plan/types.hpp"

namespace lockstep::real::gpu {

/// target[i] = target[i] (reduction) source[i], as combine_elements does on the host, bit for bit. Traffic: 3 x count.
void combine(ElementType type, Reduction reduction, const std::byte* source, std::byte* target, std::int64_t count,
             cudaStream_t stream);

/// target[i] /= ranks, as finish_average does on the host, bit for bit. Traffic: 2 x count.
void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks, cudaStream_t stream);

/// target[i] = source[i]. Traffic: 2 x bytes.
void copy(const std::byte* source, std::byte* target, std::int64_t bytes, cudaStream_t stream);

/// bfloat16 from float32, to nearest even (NaN stays NaN). Traffic: 6 B per element.
void narrow(const float* source, std::uint16_t* target, std::int64_t count, cudaStream_t stream);
/// Traffic: 6 B per element.
void widen(const std::uint16_t* source, float* target, std::int64_t count, cudaStream_t stream);

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019): what one step does to one parameter.
struct AdamStep {
  float rate = 1e-3F, beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F, decay = 0.01F;
  int step = 1;  ///< from 1: the bias corrections are 1 - beta^step
};

/// Mixed precision: float32 master weights and moments, bfloat16 gradients and working weights; `count` of each.
struct AdamState {
  float* master = nullptr;
  float* first = nullptr;   ///< moment m
  float* second = nullptr;  ///< moment v
  const std::uint16_t* gradient = nullptr;
  std::uint16_t* weight = nullptr;
};

/// In one pass. Traffic: 28 B per parameter (reads 14, writes 14).
void adam_fused(const AdamState& state, const AdamStep& step, std::int64_t count, cudaStream_t stream);
/// As a framework without fusion does it, an operation at a time; `scratch` holds adam_scratch_floats(count).
/// Traffic: 92 B per parameter (adam_unfused_bytes).
void adam_unfused(const AdamState& state, const AdamStep& step, std::int64_t count, float* scratch,
                  cudaStream_t stream);
/// Two arrays, the second of which begins at a multiple of 16 bytes too.
constexpr std::int64_t adam_scratch_floats(std::int64_t count) { return (count + 3) / 4 * 4 + count; }
constexpr int adam_fused_bytes = 28;
constexpr int adam_unfused_bytes = 92;

/// Random numbers in [-1, 1) of the types that products take, the same for one seed everywhere.
enum class NumberFormat { float8_e4m3, float16, bfloat16, float32 };
void fill_random(NumberFormat format, std::byte* target, std::int64_t count, std::uint64_t seed, cudaStream_t stream);

/// After `kernel<<<...>>>`: throws RunFailure where the launch was refused.
void check_launch(const char* kernel);

/// Does nothing: what launching costs.
void launch_nothing(cudaStream_t stream);

}  // namespace lockstep::real::gpu

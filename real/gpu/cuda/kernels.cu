#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "real/gpu/cuda/kernels.hpp"

namespace lockstep::real::gpu {
namespace {

constexpr int threads = 256;
constexpr int packs_per_thread = 4;  // independent loads in flight before the first use
using Pack = uint4;                  // 16 bytes: the widest access of one thread

// --- elements ------------------------------------------------------------------------------------------------------

struct BFloat16 {
  std::uint16_t bits;
};

__device__ float to_float(BFloat16 value) { return __uint_as_float(static_cast<unsigned>(value.bits) << 16); }

// Round to nearest, ties to even; NaN stays NaN: as core/collective/data.cpp does it.
__device__ BFloat16 to_bfloat16(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
}

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
  __device__ double operator()(double a, double b) const { return a + b; }
  __device__ std::int32_t operator()(std::int32_t a, std::int32_t b) const {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
  }
};
struct Max {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct Min {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

template <class T, class Op>
struct Combine {
  using Element = T;
  __device__ void operator()(T source, T& target) const {
    if constexpr (std::is_same_v<T, BFloat16>)
      target = to_bfloat16(Op()(to_float(target), to_float(source)));
    else
      target = Op()(target, source);
  }
};

template <class T>
struct Assign {
  using Element = T;
  __device__ void operator()(T source, T& target) const { target = source; }
};

template <class T>
struct DivideBy {
  using Element = T;
  int ranks;
  __device__ void operator()(T source, T& target) const {
    if constexpr (std::is_same_v<T, BFloat16>)
      target = to_bfloat16(to_float(source) / static_cast<float>(ranks));
    else
      target = source / static_cast<T>(ranks);
  }
};

// --- one source, one target ----------------------------------------------------------------------------------------

/// Elements before the first whole pack and behind the last one, and the packs between.
struct Layout {
  std::int64_t head = 0, packs = 0, count = 0;
};

template <class T>
Layout layout_of(const void* source, const void* target, std::int64_t count) {
  const auto from = reinterpret_cast<std::uintptr_t>(source);
  const auto to = reinterpret_cast<std::uintptr_t>(target);
  if (from % sizeof(Pack) != to % sizeof(Pack)) return {count, 0, count};
  const auto head = static_cast<std::int64_t>((sizeof(Pack) - to % sizeof(Pack)) % sizeof(Pack) / sizeof(T));
  if (head >= count) return {count, 0, count};
  return {head, (count - head) * static_cast<std::int64_t>(sizeof(T)) / static_cast<std::int64_t>(sizeof(Pack)), count};
}

template <bool ReadsTarget, class Work>
__global__ void __launch_bounds__(threads)
    elementwise(const typename Work::Element* source, typename Work::Element* target, Layout layout, Work work) {
  using T = typename Work::Element;
  constexpr int width = sizeof(Pack) / sizeof(T);
  const Pack* from = reinterpret_cast<const Pack*>(source + layout.head);
  Pack* to = reinterpret_cast<Pack*>(target + layout.head);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * threads * packs_per_thread + threadIdx.x;
  Pack sources[packs_per_thread];
  Pack targets[packs_per_thread];
#pragma unroll
  for (int i = 0; i < packs_per_thread; ++i) {
    const std::int64_t at = first + i * threads;
    if (at >= layout.packs) continue;
    sources[i] = from[at];
    if constexpr (ReadsTarget) targets[i] = to[at];
  }
#pragma unroll
  for (int i = 0; i < packs_per_thread; ++i) {
    const std::int64_t at = first + i * threads;
    if (at >= layout.packs) continue;
    const T* s = reinterpret_cast<const T*>(&sources[i]);
    T* t = reinterpret_cast<T*>(&targets[i]);
#pragma unroll
    for (int k = 0; k < width; ++k) work(s[k], t[k]);
    to[at] = targets[i];
  }
  // What no pack holds: at most 15 bytes at either end, or everything where the two are aligned differently.
  const std::int64_t tail = layout.head + layout.packs * width;
  const std::int64_t ends = layout.head + layout.count - tail;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < ends; i += stride) {
    const std::int64_t at = i < layout.head ? i : tail + i - layout.head;
    work(source[at], target[at]);
  }
}

unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>(
      std::min<std::int64_t>(std::max<std::int64_t>(1, (items + per_block - 1) / per_block), 1U << 30));
}

template <bool ReadsTarget, class Work>
void run_elementwise(const std::byte* source, std::byte* target, std::int64_t count, Work work, cudaStream_t stream) {
  using T = typename Work::Element;
  if (count <= 0) return;
  const Layout layout = layout_of<T>(source, target, count);
  const unsigned blocks =
      layout.packs > 0 ? blocks_for(layout.packs, threads * packs_per_thread) : blocks_for(count, threads);
  elementwise<ReadsTarget>
      <<<blocks, threads, 0, stream>>>(reinterpret_cast<const T*>(source), reinterpret_cast<T*>(target), layout, work);
  check_launch("elementwise");
}

template <class T>
void combine_as(Reduction reduction, const std::byte* source, std::byte* target, std::int64_t count,
                cudaStream_t stream) {
  switch (reduction) {
    case Reduction::sum:
    case Reduction::average:
      return run_elementwise<true>(source, target, count, Combine<T, Sum>(), stream);
    case Reduction::max:
      return run_elementwise<true>(source, target, count, Combine<T, Max>(), stream);
    case Reduction::min:
      return run_elementwise<true>(source, target, count, Combine<T, Min>(), stream);
  }
}

// --- one element per thread, for what is not on the way of a large transfer -----------------------------------------

template <class Work>
__global__ void __launch_bounds__(threads) for_each_element(std::int64_t count, Work work) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < count; i += stride) work(i);
}

template <class Work>
void run_for_each(std::int64_t count, Work work, cudaStream_t stream) {
  if (count <= 0) return;
  for_each_element<<<blocks_for(count, threads), threads, 0, stream>>>(count, work);
  check_launch("for_each_element");
}

// Four neighbouring elements per thread, for kernels over several arrays. All arrays begin at multiples of 16 bytes
// (8 for bfloat16) and are walked alike.
template <class Work>
__global__ void __launch_bounds__(threads) for_each_four(std::int64_t count, Work work) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x) * 4;
  if (at + 4 <= count) {
    work.four(at);
  } else {
    for (std::int64_t i = at; i < count; ++i) work.one(i);
  }
}

template <class Work>
void run_for_each_four(std::int64_t count, Work work, cudaStream_t stream) {
  if (count <= 0) return;
  for_each_four<<<blocks_for((count + 3) / 4, threads), threads, 0, stream>>>(count, work);
  check_launch("for_each_four");
}

struct Narrow {
  const float* source;
  std::uint16_t* target;
  __device__ void one(std::int64_t i) const { target[i] = to_bfloat16(source[i]).bits; }
  __device__ void four(std::int64_t i) const {
    const float4 from = *reinterpret_cast<const float4*>(source + i);
    *reinterpret_cast<ushort4*>(target + i) = make_ushort4(to_bfloat16(from.x).bits, to_bfloat16(from.y).bits,
                                                           to_bfloat16(from.z).bits, to_bfloat16(from.w).bits);
  }
};

struct Widen {
  const std::uint16_t* source;
  float* target;
  __device__ void one(std::int64_t i) const { target[i] = to_float(BFloat16{source[i]}); }
  __device__ void four(std::int64_t i) const {
    const ushort4 from = *reinterpret_cast<const ushort4*>(source + i);
    *reinterpret_cast<float4*>(target + i) = make_float4(to_float(BFloat16{from.x}), to_float(BFloat16{from.y}),
                                                         to_float(BFloat16{from.z}), to_float(BFloat16{from.w}));
  }
};

// --- Adam ------------------------------------------------------------------------------------------------------------

struct AdamFactors {
  float rate, beta1, beta2, epsilon, decay;
  float first_correction, second_correction;  // 1 / (1 - beta^step)
};

AdamFactors factors_of(const AdamStep& step) {
  const auto correction = [&](float beta) {
    return static_cast<float>(1 / (1 - std::pow(static_cast<double>(beta), step.step)));
  };
  return {step.rate, step.beta1, step.beta2, step.epsilon, step.decay, correction(step.beta1), correction(step.beta2)};
}

struct AdamFused {
  AdamState state;
  AdamFactors by;

  __device__ void update(float gradient, float& master, float& first, float& second) const {
    first = by.beta1 * first + (1 - by.beta1) * gradient;
    second = by.beta2 * second + (1 - by.beta2) * gradient * gradient;
    const float denominator = sqrtf(second * by.second_correction) + by.epsilon;
    master = master * (1 - by.rate * by.decay) - by.rate * (first * by.first_correction) / denominator;
  }
  __device__ void one(std::int64_t i) const {
    update(to_float(BFloat16{state.gradient[i]}), state.master[i], state.first[i], state.second[i]);
    state.weight[i] = to_bfloat16(state.master[i]).bits;
  }
  __device__ void four(std::int64_t i) const {
    const ushort4 gradient = *reinterpret_cast<const ushort4*>(state.gradient + i);
    float4 master = *reinterpret_cast<float4*>(state.master + i);
    float4 first = *reinterpret_cast<float4*>(state.first + i);
    float4 second = *reinterpret_cast<float4*>(state.second + i);
    update(to_float(BFloat16{gradient.x}), master.x, first.x, second.x);
    update(to_float(BFloat16{gradient.y}), master.y, first.y, second.y);
    update(to_float(BFloat16{gradient.z}), master.z, first.z, second.z);
    update(to_float(BFloat16{gradient.w}), master.w, first.w, second.w);
    *reinterpret_cast<float4*>(state.master + i) = master;
    *reinterpret_cast<float4*>(state.first + i) = first;
    *reinterpret_cast<float4*>(state.second + i) = second;
    *reinterpret_cast<ushort4*>(state.weight + i) = make_ushort4(
        to_bfloat16(master.x).bits, to_bfloat16(master.y).bits, to_bfloat16(master.z).bits, to_bfloat16(master.w).bits);
  }
};

// The operations of a framework that runs one kernel for each. target = f(target, source); a reads what it writes.
template <class F>
struct Unary {
  float* target;
  F f;
  __device__ void one(std::int64_t i) const { target[i] = f(target[i]); }
  __device__ void four(std::int64_t i) const {
    float4 value = *reinterpret_cast<float4*>(target + i);
    value = make_float4(f(value.x), f(value.y), f(value.z), f(value.w));
    *reinterpret_cast<float4*>(target + i) = value;
  }
};

template <class F>
struct Binary {
  float* target;
  const float* source;
  F f;
  __device__ void one(std::int64_t i) const { target[i] = f(target[i], source[i]); }
  __device__ void four(std::int64_t i) const {
    float4 value = *reinterpret_cast<float4*>(target + i);
    const float4 by = *reinterpret_cast<const float4*>(source + i);
    value = make_float4(f(value.x, by.x), f(value.y, by.y), f(value.z, by.z), f(value.w, by.w));
    *reinterpret_cast<float4*>(target + i) = value;
  }
};

template <class F>
struct Map {
  const float* source;
  float* target;
  F f;
  __device__ void one(std::int64_t i) const { target[i] = f(source[i]); }
  __device__ void four(std::int64_t i) const {
    const float4 from = *reinterpret_cast<const float4*>(source + i);
    *reinterpret_cast<float4*>(target + i) = make_float4(f(from.x), f(from.y), f(from.z), f(from.w));
  }
};

struct Scale {
  float by;
  __device__ float operator()(float a) const { return a * by; }
};
struct AddScaled {
  float by;
  __device__ float operator()(float a, float b) const { return a + by * b; }
};
struct AddScaledSquare {
  float by;
  __device__ float operator()(float a, float b) const { return a + by * b * b; }
};
struct RootPlus {
  float correction, epsilon;
  __device__ float operator()(float a) const { return sqrtf(a * correction) + epsilon; }
};
struct DivideInto {  // b / a
  __device__ float operator()(float a, float b) const { return b / a; }
};

// --- random numbers
// ----------------------------------------------------------------------------------------------------

// The finaliser of SplitMix64, as mix64 in core/base/hash.hpp.
__device__ std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ULL;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

__device__ float random_at(std::uint64_t seed, std::int64_t i) {
  const std::uint64_t bits = mix(seed + 0x9E3779B97F4A7C15ULL * static_cast<std::uint64_t>(i + 1));
  return static_cast<float>(bits >> 40) * (2.0F / (1 << 24)) - 1.0F;
}

template <class T>
struct Random {
  T* target;
  std::uint64_t seed;
  __device__ void operator()(std::int64_t i) const {
    if constexpr (std::is_same_v<T, BFloat16>)
      target[i] = to_bfloat16(random_at(seed, i));
    else
      target[i] = static_cast<T>(random_at(seed, i));
  }
};

__global__ void nothing() {}

}  // namespace

void combine(ElementType type, Reduction reduction, const std::byte* source, std::byte* target, std::int64_t count,
             cudaStream_t stream) {
  switch (type) {
    case ElementType::float32:
      return combine_as<float>(reduction, source, target, count, stream);
    case ElementType::float64:
      return combine_as<double>(reduction, source, target, count, stream);
    case ElementType::int32:
      return combine_as<std::int32_t>(reduction, source, target, count, stream);
    case ElementType::bfloat16:
      return combine_as<BFloat16>(reduction, source, target, count, stream);
  }
}

void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks, cudaStream_t stream) {
  // In place: a thread writes what it has read.
  const auto divide = [&](auto by) { run_elementwise<false>(target, target, count, by, stream); };
  switch (type) {
    case ElementType::float32:
      return divide(DivideBy<float>{ranks});
    case ElementType::float64:
      return divide(DivideBy<double>{ranks});
    case ElementType::int32:
      return divide(DivideBy<std::int32_t>{ranks});
    case ElementType::bfloat16:
      return divide(DivideBy<BFloat16>{ranks});
  }
}

void copy(const std::byte* source, std::byte* target, std::int64_t bytes, cudaStream_t stream) {
  run_elementwise<false>(source, target, bytes, Assign<std::uint8_t>(), stream);
}

void narrow(const float* source, std::uint16_t* target, std::int64_t count, cudaStream_t stream) {
  run_for_each_four(count, Narrow{source, target}, stream);
}

void widen(const std::uint16_t* source, float* target, std::int64_t count, cudaStream_t stream) {
  run_for_each_four(count, Widen{source, target}, stream);
}

void adam_fused(const AdamState& state, const AdamStep& step, std::int64_t count, cudaStream_t stream) {
  run_for_each_four(count, AdamFused{state, factors_of(step)}, stream);
}

void adam_unfused(const AdamState& state, const AdamStep& step, std::int64_t count, float* scratch,
                  cudaStream_t stream) {
  const AdamFactors by = factors_of(step);
  float* gradient = scratch;
  float* update = scratch + (count + 3) / 4 * 4;
  const auto run = [&](auto work) { run_for_each_four(count, work, stream); };
  run(Widen{state.gradient, gradient});                                            // 2 + 4 B
  run(Unary<Scale>{state.first, {by.beta1}});                                      // 4 + 4
  run(Binary<AddScaled>{state.first, gradient, {1 - by.beta1}});                   // 8 + 4
  run(Unary<Scale>{state.second, {by.beta2}});                                     // 4 + 4
  run(Binary<AddScaledSquare>{state.second, gradient, {1 - by.beta2}});            // 8 + 4
  run(Map<RootPlus>{state.second, update, {by.second_correction, by.epsilon}});    // 4 + 4
  run(Binary<DivideInto>{update, state.first, {}});                                // 8 + 4
  run(Unary<Scale>{state.master, {1 - by.rate * by.decay}});                       // 4 + 4
  run(Binary<AddScaled>{state.master, update, {-by.rate * by.first_correction}});  // 8 + 4
  run(Narrow{state.master, state.weight});                                         // 4 + 2
}

void fill_random(NumberFormat format, std::byte* target, std::int64_t count, std::uint64_t seed, cudaStream_t stream) {
  switch (format) {
    case NumberFormat::float8_e4m3:
      return run_for_each(count, Random<__nv_fp8_e4m3>{reinterpret_cast<__nv_fp8_e4m3*>(target), seed}, stream);
    case NumberFormat::float16:
      return run_for_each(count, Random<__half>{reinterpret_cast<__half*>(target), seed}, stream);
    case NumberFormat::bfloat16:
      return run_for_each(count, Random<BFloat16>{reinterpret_cast<BFloat16*>(target), seed}, stream);
    case NumberFormat::float32:
      return run_for_each(count, Random<float>{reinterpret_cast<float*>(target), seed}, stream);
  }
}

void launch_nothing(cudaStream_t stream) {
  nothing<<<1, 1, 0, stream>>>();
  check_launch("nothing");
}

}  // namespace lockstep::real::gpu

#include "real/compute/blas.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "core/base/error.hpp"
#include "real/library/shared_library.hpp"

namespace lockstep::real {
namespace {

// Of CBLAS (the reference implementation's cblas.h).
constexpr int row_major = 101, as_it_is = 111, transposed = 112;

// OpenBLAS knows processors by their model numbers, and takes its oldest kernels (Prescott) for those that came after
// it, an eighth as fast as what they could do: what the processor can do says more. Null: its own choice. What stands
// in the environment already stays.
const char* core_by_features() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

template <class Gemm, class T>
void call(Gemm gemm, const T* x, const T* w, T* y, std::int64_t m, std::int64_t n, std::int64_t k) {
  const auto length = [](std::int64_t value) { return static_cast<int>(value); };  // core/compute/kernel.cpp bounds it
  gemm(row_major, as_it_is, transposed, length(m), length(n), length(k), T(1), x, length(k), w, length(k), T(0), y,
       length(n));
}

}  // namespace

Blas::Blas() {
  // Read when the library is loaded, by each of its builds.
  ::setenv("OPENBLAS_NUM_THREADS", "1", 1);
  ::setenv("OMP_NUM_THREADS", "1", 0);
  if (const char* core = core_by_features()) ::setenv("OPENBLAS_CORETYPE", core, 0);
  const SharedLibrary library({"libopenblas.so.0"});
  if (!library.is_open()) {
    problem_ = library.error();
    return;
  }
  single_ = library.find<std::remove_pointer_t<Gemm<float>>>("cblas_sgemm");
  double_ = library.find<std::remove_pointer_t<Gemm<double>>>("cblas_dgemm");
  if (single_ == nullptr || double_ == nullptr) {
    problem_ = fmt::format("{} has no cblas_sgemm and cblas_dgemm", library.name());
    return;
  }
  if (const auto set_threads = library.find<void(int)>("openblas_set_num_threads")) set_threads(1);
  for (const char* what : {"openblas_get_config", "openblas_get_corename"})
    if (const auto tell = library.find<char*()>(what))
      description_ += (description_.empty() ? "" : ", ") + std::string(tell());
  while (!description_.empty() && description_.back() == ' ') description_.pop_back();
}

const Blas& Blas::instance() {
  static const Blas blas;
  return blas;
}

const Blas& Blas::open() {
  const Blas& blas = instance();
  if (!blas.problem_.empty())
    throw InputError(
        fmt::format("matmul needs OpenBLAS, and this machine has none: install the package libopenblas0-serial ({})",
                    blas.problem_));
  return blas;
}

std::string Blas::why_not() { return instance().problem_; }

void Blas::multiply(const float* x, const float* w, float* y, std::int64_t m, std::int64_t n, std::int64_t k) const {
  call(single_, x, w, y, m, n, k);
}
void Blas::multiply(const double* x, const double* w, double* y, std::int64_t m, std::int64_t n, std::int64_t k) const {
  call(double_, x, w, y, m, n, k);
}

}  // namespace lockstep::real

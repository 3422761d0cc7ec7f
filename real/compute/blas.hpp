// OpenBLAS, opened when a product is asked for. It is told to start no threads before it is opened: a rank is one
// thread, and what starts ranks by fork must have none.
#pragma once

#include <cstdint>
#include <string>

namespace lockstep::real {

class Blas {
 public:
  /// The library of this process. Throws InputError where it is missing, naming the package.
  static const Blas& open();
  /// Why it cannot be opened; empty where it can.
  static std::string why_not();

  /// Y[m,n] = X[m,k] W[n,k]^T, rows one behind the other.
  void multiply(const float* x, const float* w, float* y, std::int64_t m, std::int64_t n, std::int64_t k) const;
  void multiply(const double* x, const double* w, double* y, std::int64_t m, std::int64_t n, std::int64_t k) const;
  /// Version, how it was built, and the processor that its kernels are for, in its own words.
  [[nodiscard]] const std::string& description() const { return description_; }

 private:
  Blas();
  static const Blas& instance();

  // The enumerations of CBLAS are ints, and so are lengths in Debian's builds of OpenBLAS.
  template <class T>
  using Gemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, T alpha, const T* a, int lda,
                        const T* b, int ldb, T beta, T* c, int ldc);
  Gemm<float> single_ = nullptr;
  Gemm<double> double_ = nullptr;
  std::string description_;
  std::string problem_;
};

}  // namespace lockstep::real

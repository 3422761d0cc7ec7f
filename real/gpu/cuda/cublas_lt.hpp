// Matrix products by cuBLASLt, opened at run time (libcublasLt.so.13: hundreds of megabytes that most machines lack).
#pragma once

#include <cublasLt.h>

#include <memory>
#include <optional>
#include <string>

#include "real/gpu/cuda/runtime.hpp"
#include "real/library/shared_library.hpp"

namespace lockstep::real::gpu {

/// Y[m, n] = X[m, k] W[n, k]^T, row by row as frameworks hold activations and weights; accumulated in float32.
struct Product {
  std::int64_t m = 0, n = 0, k = 0;
  cudaDataType_t in = CUDA_R_16BF;
  cudaDataType_t out = CUDA_R_16BF;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
};

class CublasLt {
 public:
  /// Throws RunFailure where a function is missing or the library refuses to start.
  explicit CublasLt(SharedLibrary library);
  ~CublasLt();
  CublasLt(CublasLt&&) noexcept;
  CublasLt& operator=(CublasLt&&) noexcept;

  [[nodiscard]] std::size_t version() const;
  [[nodiscard]] const std::string& name() const;

  /// A product with the algorithm that the library ranks first for it. The library has to outlive it.
  class Prepared {
   public:
    ~Prepared();
    Prepared(Prepared&&) noexcept;
    Prepared& operator=(Prepared&&) noexcept;
    /// Throws RunFailure where the library refuses.
    void run(const void* x, const void* w, void* y, void* workspace, cudaStream_t stream) const;

   private:
    struct Parts;
    explicit Prepared(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
    friend class CublasLt;
  };
  /// nullopt where the library has no algorithm for it on this device. Throws RunFailure for anything else.
  [[nodiscard]] std::optional<Prepared> prepare(const Product& product, std::size_t workspace_bytes) const;
  /// The same, of a product that every device has.
  [[nodiscard]] Prepared need(const Product& product, std::size_t workspace_bytes) const;

 private:
  struct Functions;
  std::unique_ptr<Functions> functions_;
};

/// nullopt where the library is not there, with the reason in `missing`.
std::optional<CublasLt> open_cublas_lt(std::string& missing);

}  // namespace lockstep::real::gpu

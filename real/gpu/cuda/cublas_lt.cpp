#include "real/gpu/cuda/cublas_lt.hpp"

#include <array>
#include <utility>

namespace lockstep::real::gpu {

struct CublasLt::Functions {
  SharedLibrary library;
  cublasLtHandle_t handle = nullptr;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) get_version;
  decltype(&cublasLtGetStatusString) status_string;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) get_heuristic;
  decltype(&cublasLtMatmulDescCreate) describe;
  decltype(&cublasLtMatmulDescDestroy) forget;
  decltype(&cublasLtMatmulDescSetAttribute) set_of_description;
  decltype(&cublasLtMatrixLayoutCreate) lay_out;
  decltype(&cublasLtMatrixLayoutDestroy) forget_layout;
  decltype(&cublasLtMatmulPreferenceCreate) prefer;
  decltype(&cublasLtMatmulPreferenceDestroy) forget_preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_of_preference;

  explicit Functions(SharedLibrary from) : library(std::move(from)) {
    find(create, "cublasLtCreate");
    find(destroy, "cublasLtDestroy");
    find(get_version, "cublasLtGetVersion");
    find(status_string, "cublasLtGetStatusString");
    find(matmul, "cublasLtMatmul");
    find(get_heuristic, "cublasLtMatmulAlgoGetHeuristic");
    find(describe, "cublasLtMatmulDescCreate");
    find(forget, "cublasLtMatmulDescDestroy");
    find(set_of_description, "cublasLtMatmulDescSetAttribute");
    find(lay_out, "cublasLtMatrixLayoutCreate");
    find(forget_layout, "cublasLtMatrixLayoutDestroy");
    find(prefer, "cublasLtMatmulPreferenceCreate");
    find(forget_preference, "cublasLtMatmulPreferenceDestroy");
    find(set_of_preference, "cublasLtMatmulPreferenceSetAttribute");
    need(create(&handle), "cublasLtCreate");
  }
  ~Functions() {
    if (handle != nullptr) destroy(handle);
  }
  Functions(const Functions&) = delete;
  Functions& operator=(const Functions&) = delete;

  template <class Pointer>
  void find(Pointer& pointer, const char* name) const {
    pointer = library.need<std::remove_pointer_t<Pointer>>(name);
  }
  void need(cublasStatus_t status, const char* what) const {
    if (status != CUBLAS_STATUS_SUCCESS) throw RunFailure(fmt::format("{}: {}", what, status_string(status)));
  }
};

CublasLt::CublasLt(SharedLibrary library) : functions_(std::make_unique<Functions>(std::move(library))) {}
CublasLt::~CublasLt() = default;
CublasLt::CublasLt(CublasLt&&) noexcept = default;
CublasLt& CublasLt::operator=(CublasLt&&) noexcept = default;

std::size_t CublasLt::version() const { return functions_->get_version(); }
const std::string& CublasLt::name() const { return functions_->library.name(); }

// The library thinks in columns: row-major Y is its column-major Y^T = W X^T, of n rows and m columns.
struct CublasLt::Prepared::Parts {
  const Functions& functions;
  std::size_t workspace_bytes;
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t chosen{};

  Parts(const Functions& f, std::size_t workspace) : functions(f), workspace_bytes(workspace) {}
  ~Parts() {
    if (preference != nullptr) functions.forget_preference(preference);
    for (const auto layout : {w, x, y})
      if (layout != nullptr) functions.forget_layout(layout);
    if (product != nullptr) functions.forget(product);
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  /// False: there is no algorithm.
  bool choose(const Product& wanted) {
    const Functions& f = functions;
    f.need(f.describe(&product, wanted.compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    f.need(f.set_of_description(product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed),
           "cublasLtMatmulDescSetAttribute");
    const auto rows = [](std::int64_t count) { return static_cast<std::uint64_t>(count); };
    f.need(f.lay_out(&w, wanted.in, rows(wanted.k), rows(wanted.n), wanted.k), "cublasLtMatrixLayoutCreate");
    f.need(f.lay_out(&x, wanted.in, rows(wanted.k), rows(wanted.m), wanted.k), "cublasLtMatrixLayoutCreate");
    f.need(f.lay_out(&y, wanted.out, rows(wanted.n), rows(wanted.m), wanted.n), "cublasLtMatrixLayoutCreate");
    f.need(f.prefer(&preference), "cublasLtMatmulPreferenceCreate");
    f.need(f.set_of_preference(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                               sizeof workspace_bytes),
           "cublasLtMatmulPreferenceSetAttribute");
    int found = 0;
    const cublasStatus_t status = f.get_heuristic(f.handle, product, w, x, y, y, preference, 1, &chosen, &found);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return false;
    f.need(status, "cublasLtMatmulAlgoGetHeuristic");
    return found > 0;
  }
};

CublasLt::Prepared::Prepared(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CublasLt::Prepared::~Prepared() = default;
CublasLt::Prepared::Prepared(Prepared&&) noexcept = default;
CublasLt::Prepared& CublasLt::Prepared::operator=(Prepared&&) noexcept = default;

std::optional<CublasLt::Prepared> CublasLt::prepare(const Product& product, std::size_t workspace_bytes) const {
  auto parts = std::make_unique<Prepared::Parts>(*functions_, workspace_bytes);
  if (!parts->choose(product)) return std::nullopt;
  return Prepared(std::move(parts));
}

CublasLt::Prepared CublasLt::need(const Product& product, std::size_t workspace_bytes) const {
  auto prepared = prepare(product, workspace_bytes);
  if (!prepared)
    throw RunFailure(fmt::format("cuBLASLt has no algorithm for {}x{}x{}", product.m, product.n, product.k));
  return std::move(*prepared);
}

void CublasLt::Prepared::run(const void* x, const void* w, void* y, void* workspace, cudaStream_t stream) const {
  const float one = 1;
  const float zero = 0;
  const auto& f = parts_->functions;
  f.need(f.matmul(f.handle, parts_->product, &one, w, parts_->w, x, parts_->x, &zero, y, parts_->y, y, parts_->y,
                  &parts_->chosen.algo, workspace, parts_->workspace_bytes, stream),
         "cublasLtMatmul");
}

std::optional<CublasLt> open_cublas_lt(std::string& missing) {
  SharedLibrary library({"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"});
  if (!library.is_open()) {
    missing = library.error();
    return std::nullopt;
  }
  return CublasLt(std::move(library));
}

}  // namespace lockstep::real::gpu

#include "real/compute/matmul.hpp"

#include "real/compute/arrays.hpp"
#include "real/compute/blas.hpp"

namespace lockstep::real {
namespace {

// Operations that the reference of one check may take: a tenth of a second.
constexpr std::int64_t checked_operations = std::int64_t{1} << 26;

template <class T>
class Matmul final : public KernelBody {
 public:
  Matmul(const Kernel& kernel, AlignedBuffer& memory)
      : blas_(Blas::open()),
        m_(kernel.shape[0]),
        n_(kernel.shape[1]),
        k_(kernel.shape[2]),
        arrays_(memory, {m_ * k_, n_ * k_, m_ * n_}) {}
  void fill() override {
    fill_input(x(), 0, m_ * k_);
    fill_input(w(), 1, n_ * k_);
    std::fill_n(y(), m_ * n_, T(0));
  }
  void run() override { blas_.multiply(x(), w(), y(), m_, n_, k_); }
  [[nodiscard]] std::int64_t wrong() const override {
    std::int64_t wrong = 0;
    const std::int64_t limit = std::clamp<std::int64_t>(checked_operations / k_, 16, checked_elements);
    for_some(m_ * n_, limit, [&](std::int64_t at) {
      const T* row = x() + at / n_ * k_;
      const T* column = w() + at % n_ * k_;
      long double sum = 0;
      long double magnitudes = 0;
      for (std::int64_t i = 0; i < k_; ++i) {
        const long double term = static_cast<long double>(row[i]) * static_cast<long double>(column[i]);
        sum += term;
        magnitudes += std::abs(term);
      }
      // Rounding errors of a sum grow with the square root of its length (Higham and Mary, SIAM J. Sci. Comput. 2019),
      // each a part of the partial sums, which here are about the root of the sum of squares.
      const long double scale = magnitudes / std::sqrt(static_cast<long double>(k_));
      wrong += is_off(y()[at], sum, scale, 64 + std::sqrt(static_cast<long double>(k_))) ? 1 : 0;
    });
    return wrong;
  }
  [[nodiscard]] std::span<std::byte> result() override { return bytes_of(y(), m_ * n_); }

 private:
  [[nodiscard]] T* x() const { return arrays_[0]; }
  [[nodiscard]] T* w() const { return arrays_[1]; }
  [[nodiscard]] T* y() const { return arrays_[2]; }
  const Blas& blas_;
  std::int64_t m_, n_, k_;
  Arrays<T> arrays_;
};

}  // namespace

std::unique_ptr<KernelBody> make_matmul(const Kernel& kernel, AlignedBuffer& memory) {
  if (kernel.type == ElementType::float64) return std::make_unique<Matmul<double>>(kernel, memory);
  return std::make_unique<Matmul<float>>(kernel, memory);
}

}  // namespace lockstep::real

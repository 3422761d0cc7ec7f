#include "real/compute/rowwise.hpp"

#include <array>

#include "core/base/error.hpp"
#include "real/compute/arrays.hpp"
#include "real/compute/exponential.hpp"

namespace lockstep::real {
namespace {

// A sum (or a maximum) in one variable is a chain of operations that wait for each other; in many it is vectors.
constexpr std::int64_t lanes = 16;

template <class T, class Step>
T gather(const T* row, std::int64_t columns, T neutral, Step step) {
  std::array<T, lanes> parts;
  parts.fill(neutral);
  std::int64_t c = 0;
  for (; c + lanes <= columns; c += lanes)
    for (std::int64_t lane = 0; lane < lanes; ++lane)
      parts[static_cast<std::size_t>(lane)] = step(parts[static_cast<std::size_t>(lane)], row[c + lane]);
  for (; c < columns; ++c) parts[0] = step(parts[0], row[c]);
  T all = parts[0];
  for (std::size_t lane = 1; lane < lanes; ++lane) all = step(all, parts[lane]);
  return all;
}

template <class T>
T sum_of(const T* row, std::int64_t columns) {
  return gather(row, columns, T(0), [](T a, T b) { return a + b; });
}

struct Softmax {
  static constexpr double scale = 0;  // errors are relative to what comes out
  template <class T>
  static void row(const T* __restrict x, T* __restrict y, std::int64_t columns, const T*, const T*) {
    const T most = gather(x, columns, x[0], [](T a, T b) { return a > b ? a : b; });
    for (std::int64_t c = 0; c < columns; ++c) y[c] = exponential(x[c] - most);
    const T factor = T(1) / sum_of(y, columns);
    for (std::int64_t c = 0; c < columns; ++c) y[c] *= factor;
  }
  static void reference(const std::vector<long double>& x, std::vector<long double>& y, const std::vector<long double>&,
                        const std::vector<long double>&) {
    const long double most = *std::max_element(x.begin(), x.end());
    long double sum = 0;
    for (std::size_t c = 0; c < x.size(); ++c) {
      y[c] = std::exp(x[c] - most);
      sum += y[c];
    }
    for (auto& value : y) value /= sum;
  }
};

constexpr double epsilon = 1e-5;

struct LayerNorm {
  static constexpr double scale = 2;  // deviations from a mean are as exact as what they were taken from
  template <class T>
  static void row(const T* __restrict x, T* __restrict y, std::int64_t columns, const T* __restrict factors,
                  const T* __restrict summands) {
    const T mean = sum_of(x, columns) / static_cast<T>(columns);
    for (std::int64_t c = 0; c < columns; ++c) y[c] = x[c] - mean;
    std::array<T, lanes> parts{};
    std::int64_t c = 0;
    for (; c + lanes <= columns; c += lanes)
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const T difference = y[c + lane];
        parts[static_cast<std::size_t>(lane)] += difference * difference;
      }
    for (; c < columns; ++c) parts[0] += y[c] * y[c];
    const T variance = sum_of(parts.data(), lanes) / static_cast<T>(columns);
    const T factor = T(1) / std::sqrt(variance + static_cast<T>(epsilon));
    for (c = 0; c < columns; ++c) y[c] = y[c] * factor * factors[c] + summands[c];
  }
  static void reference(const std::vector<long double>& x, std::vector<long double>& y,
                        const std::vector<long double>& factors, const std::vector<long double>& summands) {
    const auto columns = static_cast<long double>(x.size());
    long double mean = 0;
    for (const long double value : x) mean += value / columns;
    long double variance = 0;
    for (const long double value : x) variance += (value - mean) * (value - mean) / columns;
    for (std::size_t c = 0; c < x.size(); ++c)
      y[c] = (x[c] - mean) / std::sqrt(variance + epsilon) * factors[c] + summands[c];
  }
};

template <class T, class What>
class Rowwise final : public KernelBody {
 public:
  Rowwise(const Kernel& kernel, AlignedBuffer& memory)
      : rows_(kernel.shape[0]),
        columns_(kernel.shape[1]),
        arrays_(memory, {rows_ * columns_, rows_ * columns_, columns_, columns_}) {}
  void fill() override {
    fill_input(x(), 0, rows_ * columns_);
    std::fill_n(target(), rows_ * columns_, T(0));
    fill_input(arrays_[2], 2, columns_);
    fill_input(arrays_[3], 3, columns_);
  }
  void run() override {
    for (std::int64_t r = 0; r < rows_; ++r)
      What::row(x() + r * columns_, target() + r * columns_, columns_, arrays_[2], arrays_[3]);
  }
  [[nodiscard]] std::int64_t wrong() const override {
    const auto width = static_cast<std::size_t>(columns_);
    std::vector<long double> row(width);
    std::vector<long double> expected(width);
    std::vector<long double> factors(width);
    std::vector<long double> summands(width);
    for (std::int64_t c = 0; c < columns_; ++c) {
      factors[static_cast<std::size_t>(c)] = input<T>(2, c);
      summands[static_cast<std::size_t>(c)] = input<T>(3, c);
    }
    std::int64_t wrong = 0;
    for_some(rows_, std::max<std::int64_t>(1, checked_elements / columns_), [&](std::int64_t r) {
      for (std::int64_t c = 0; c < columns_; ++c) row[static_cast<std::size_t>(c)] = input<T>(0, r * columns_ + c);
      What::reference(row, expected, factors, summands);
      // Sums of so many rounded numbers: errors that grow as a random walk does.
      const long double units = 64 + std::sqrt(static_cast<long double>(columns_));
      for (std::int64_t c = 0; c < columns_; ++c)
        wrong += is_off(target()[r * columns_ + c], expected[static_cast<std::size_t>(c)], What::scale, units) ? 1 : 0;
    });
    return wrong;
  }
  [[nodiscard]] std::span<std::byte> result() override { return bytes_of(target(), rows_ * columns_); }

 private:
  [[nodiscard]] T* x() const { return arrays_[0]; }
  [[nodiscard]] T* target() const { return arrays_[1]; }
  std::int64_t rows_;
  std::int64_t columns_;
  Arrays<T> arrays_;
};

template <class What>
std::unique_ptr<KernelBody> make(const Kernel& kernel, AlignedBuffer& memory) {
  if (kernel.type == ElementType::float64) return std::make_unique<Rowwise<double, What>>(kernel, memory);
  return std::make_unique<Rowwise<float, What>>(kernel, memory);
}

}  // namespace

std::unique_ptr<KernelBody> make_rowwise(const Kernel& kernel, AlignedBuffer& memory) {
  if (kernel.name == "softmax") return make<Softmax>(kernel, memory);
  LOCKSTEP_CHECK(kernel.name == "layer_norm", "'{}' is no kernel of rows", kernel.name);
  return make<LayerNorm>(kernel, memory);
}

}  // namespace lockstep::real

#include "real/compute/elementwise.hpp"

#include "core/base/error.hpp"
#include "real/compute/arrays.hpp"
#include "real/compute/exponential.hpp"

namespace lockstep::real {
namespace {

constexpr double factor = 1.25;

// What is done with element i of x (and of y, where there is one), and the same in higher precision.
struct Copy {
  static constexpr bool binary = false;
  template <class T>
  static T of(T x, T) {
    return x;
  }
  static long double reference(long double x, long double) { return x; }
};
struct Scale {
  static constexpr bool binary = false;
  template <class T>
  static T of(T x, T) {
    return static_cast<T>(factor) * x;
  }
  static long double reference(long double x, long double) { return factor * x; }
};
struct Add {
  static constexpr bool binary = true;
  template <class T>
  static T of(T x, T y) {
    return x + y;
  }
  static long double reference(long double x, long double y) { return x + y; }
};
// (1 + tanh u) / 2 = 1 / (1 + e^-2u): the same function with one call.
struct Gelu {
  static constexpr bool binary = false;
  static constexpr long double root = 0.797884560802865355879892119868763737L;  // sqrt(2 / pi)
  template <class T>
  static T of(T x, T) {
    const T u = static_cast<T>(root) * (x + static_cast<T>(0.044715) * x * x * x);
    return x / (T(1) + exponential(T(-2) * u));
  }
  static long double reference(long double x, long double) {
    return x * (1 + std::tanh(root * (x + 0.044715L * x * x * x))) / 2;
  }
};

template <class T, class What>
class Elementwise final : public KernelBody {
 public:
  Elementwise(const Kernel& kernel, AlignedBuffer& memory)
      : count_(kernel.shape[0]), arrays_(memory, {count_, count_, What::binary ? count_ : 0}) {}
  void fill() override {
    fill_input(x(), 0, count_);
    if (What::binary) fill_input(y(), 1, count_);
    std::fill_n(target(), count_, T(0));
  }
  void run() override {
    const T* __restrict from = x();
    const T* __restrict other = What::binary ? y() : x();
    T* __restrict to = target();
    const std::int64_t count = count_;
    for (std::int64_t i = 0; i < count; ++i) to[i] = What::of(from[i], other[i]);
  }
  [[nodiscard]] std::int64_t wrong() const override {
    std::int64_t wrong = 0;
    for_some(count_, checked_elements, [&](std::int64_t i) {
      const long double other = What::binary ? input<T>(1, i) : T(0);
      wrong += is_off(target()[i], What::reference(input<T>(0, i), other)) ? 1 : 0;
    });
    return wrong;
  }
  [[nodiscard]] std::span<std::byte> result() override { return bytes_of(target(), count_); }

 private:
  [[nodiscard]] T* x() const { return arrays_[0]; }
  [[nodiscard]] T* target() const { return arrays_[1]; }
  [[nodiscard]] T* y() const { return arrays_[2]; }
  std::int64_t count_;
  Arrays<T> arrays_;
};

template <class What>
std::unique_ptr<KernelBody> make(const Kernel& kernel, AlignedBuffer& memory) {
  if (kernel.type == ElementType::float64) return std::make_unique<Elementwise<double, What>>(kernel, memory);
  return std::make_unique<Elementwise<float, What>>(kernel, memory);
}

}  // namespace

std::unique_ptr<KernelBody> make_elementwise(const Kernel& kernel, AlignedBuffer& memory) {
  if (kernel.name == "copy") return make<Copy>(kernel, memory);
  if (kernel.name == "scale") return make<Scale>(kernel, memory);
  if (kernel.name == "add") return make<Add>(kernel, memory);
  LOCKSTEP_CHECK(kernel.name == "gelu", "'{}' is no elementwise kernel", kernel.name);
  return make<Gelu>(kernel, memory);
}

}  // namespace lockstep::real

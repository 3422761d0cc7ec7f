#include "real/compute/adam.hpp"

#include "real/compute/arrays.hpp"

namespace lockstep::real {
namespace {

constexpr double rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0.01;

// What does not change from one element to the next: of the first step, whose bias corrections are 1 - beta.
template <class T>
struct Constants {
  T keep = static_cast<T>(1 - rate * decay);
  T first = static_cast<T>(1 - beta1);
  T second = static_cast<T>(beta2);
  T square = static_cast<T>(1 - beta2);
  T root = static_cast<T>(1 / 0.031622776601683791);  // 1 / sqrt(1 - beta2)
  T step = static_cast<T>(rate / (1 - beta1));
  T least = static_cast<T>(epsilon);
};

// The eight operations. Each is a pass over memory of its own in adam_unfused.
template <class T>
T decayed(T weight, const Constants<T>& c) {
  return weight * c.keep;
}
template <class T>
T moved(T moment, T gradient, const Constants<T>& c) {
  return moment + (gradient - moment) * c.first;
}
template <class T>
T faded(T moment, const Constants<T>& c) {
  return moment * c.second;
}
template <class T>
T with_square(T moment, T gradient, const Constants<T>& c) {
  return moment + gradient * gradient * c.square;
}
template <class T>
T stepped(T weight, T moment, T denominator, const Constants<T>& c) {
  return weight - c.step * (moment / denominator);
}

// A pass: compilers must not merge two of them.
template <class T, class What>
[[gnu::noinline]] void pass(T* __restrict target, std::int64_t count, What what) {
  for (std::int64_t i = 0; i < count; ++i) target[i] = what(i);
}

template <class T>
class Adam final : public KernelBody {
 public:
  Adam(const Kernel& kernel, AlignedBuffer& memory)
      : count_(kernel.shape[0]),
        fused_(kernel.name == "adam"),
        arrays_(memory, {count_, count_, count_, count_, fused_ ? 0 : count_}) {}

  void fill() override {
    fill_input(weight(), 0, count_);
    fill_input(gradient(), 1, count_);
    fill_input(first(), 2, count_);
    for (std::int64_t i = 0; i < count_; ++i) second()[i] = std::abs(input<T>(3, i));
    if (!fused_) std::fill_n(denominator(), count_, T(0));
  }

  void run() override {
    if (fused_)
      run_fused();
    else
      run_unfused();
  }

  [[nodiscard]] std::int64_t wrong() const override {
    std::int64_t wrong = 0;
    for_some(count_, checked_elements, [&](std::int64_t i) {
      const long double g = input<T>(1, i);
      const long double m =
          beta1 * static_cast<long double>(input<T>(2, i)) + (1 - static_cast<long double>(beta1)) * g;
      const long double v =
          beta2 * std::abs(static_cast<long double>(input<T>(3, i))) + (1 - static_cast<long double>(beta2)) * g * g;
      // The first step: both moments over 1 - beta.
      const long double root = std::sqrt(v / (1 - static_cast<long double>(beta2))) + epsilon;
      const long double w = static_cast<long double>(input<T>(0, i)) * (1 - static_cast<long double>(rate) * decay) -
                            rate * (m / (1 - static_cast<long double>(beta1))) / root;
      const bool off = is_off(first()[i], m) || is_off(second()[i], v) || is_off(weight()[i], w);
      wrong += off ? 1 : 0;
    });
    return wrong;
  }
  [[nodiscard]] std::span<std::byte> result() override { return bytes_of(weight(), count_); }

 private:
  void run_fused() {
    const Constants<T> c;
    T* __restrict w = weight();
    T* __restrict m = first();
    T* __restrict v = second();
    const T* __restrict g = gradient();
    const std::int64_t count = count_;
    for (std::int64_t i = 0; i < count; ++i) {
      m[i] = moved(m[i], g[i], c);
      v[i] = with_square(faded(v[i], c), g[i], c);
      const T d = std::sqrt(v[i]) * c.root + c.least;
      w[i] = stepped(decayed(w[i], c), m[i], d, c);
    }
  }

  // In the order of PyTorch's AdamW without fusion: multiply, interpolate, multiply, add the square, root, scale, add,
  // divide and subtract.
  void run_unfused() {
    const Constants<T> c;
    T* w = weight();
    T* m = first();
    T* v = second();
    T* d = denominator();
    const T* g = gradient();
    pass(w, count_, [w, c](std::int64_t i) { return decayed(w[i], c); });
    pass(m, count_, [m, g, c](std::int64_t i) { return moved(m[i], g[i], c); });
    pass(v, count_, [v, c](std::int64_t i) { return faded(v[i], c); });
    pass(v, count_, [v, g, c](std::int64_t i) { return with_square(v[i], g[i], c); });
    pass(d, count_, [v](std::int64_t i) { return std::sqrt(v[i]); });
    pass(d, count_, [d, c](std::int64_t i) { return d[i] * c.root; });
    pass(d, count_, [d, c](std::int64_t i) { return d[i] + c.least; });
    pass(w, count_, [w, m, d, c](std::int64_t i) { return stepped(w[i], m[i], d[i], c); });
  }

  [[nodiscard]] T* weight() const { return arrays_[0]; }
  [[nodiscard]] T* gradient() const { return arrays_[1]; }
  [[nodiscard]] T* first() const { return arrays_[2]; }
  [[nodiscard]] T* second() const { return arrays_[3]; }
  [[nodiscard]] T* denominator() const { return arrays_[4]; }
  std::int64_t count_;
  bool fused_;
  Arrays<T> arrays_;
};

}  // namespace

std::unique_ptr<KernelBody> make_adam(const Kernel& kernel, AlignedBuffer& memory) {
  if (kernel.type == ElementType::float64) return std::make_unique<Adam<double>>(kernel, memory);
  return std::make_unique<Adam<float>>(kernel, memory);
}

}  // namespace lockstep::real

// The catalogue of kernels, with their formulas.
#include "core/compute/kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/base/number.hpp"
#include "core/base/text.hpp"

namespace lockstep {
namespace {

using Wide = __int128;
using Shape = KernelKind::Shape;

constexpr Wide most_flops = Wide{1} << 53;
constexpr Wide most_bytes = Wide{1} << 46;

Wide elements(Shape shape) {
  Wide product = 1;
  for (const std::int64_t length : shape) product *= length;
  return product;
}

// So many per element, whatever the shape.
template <int per_element>
Wide each(Shape shape) {
  return per_element * elements(shape);
}

// Y[m,n] = X[m,k] W[n,k]^T: k multiplications and k additions for each of the m n elements (as LAPACK Working Note 41
// counts); every operand passes once, the least that any order of the loops needs.
Wide product_flops(Shape s) { return 2 * elements(s); }
Wide product_operands(Shape s) { return Wide{s[0]} * s[2] + Wide{s[1]} * s[2] + Wide{s[0]} * s[1]; }

// X and Y, and one row each of the factors and the summands.
Wide normalisation_arrays(Shape s) { return 2 * elements(s) + 2 * Wide{s[1]}; }

std::vector<KernelKind> make_catalogue() {
  const std::vector<std::string> vector{"elements"};
  const std::vector<std::string> matrix{"rows", "columns"};
  return {
      {"matmul",
       "the product Y[m,n] = X[m,k] W[n,k]^T, by OpenBLAS",
       {"m", "n", "k"},
       true,
       product_flops,
       product_operands,
       product_operands},
      // Reads and writes as STREAM counts them (McCalpin, IEEE TCCA Newsletter, December 1995): no write-allocate.
      {"copy", "y = x", vector, false, each<0>, each<2>, each<2>},
      {"scale", "y = a x", vector, false, each<1>, each<2>, each<2>},
      {"add", "z = x + y", vector, false, each<1>, each<3>, each<3>},
      // y = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel, arXiv 1606.08415): 4 operations in
      // the bracket, 1 for the factor, tanh as 1, and 3 around it.
      {"gelu", "y = gelu(x), with tanh", vector, false, each<9>, each<2>, each<2>},
      // Maximum, difference, exp as 1, sum, factor. A row is read from a cache in the second and third pass.
      {"softmax", "every row: exp(x - its maximum) over their sum", matrix, false, each<5>, each<2>, each<2>},
      // Sum; difference, square, sum; difference, factor, and the row's factor and summand (Ba, Kiros and Hinton, arXiv
      // 1607.06450).
      {"layer_norm", "every row: to mean 0 and variance 1, times a factor, plus a summand", matrix, false, each<8>,
       normalisation_arrays, normalisation_arrays},
      // Weights, two moments and gradients read; weights and moments written. The arithmetic (Loshchilov and Hutter,
      // arXiv 1711.05101): decay 1; first moment 3; second moment 1 + 3; root, factor and epsilon 3; step 3.
      {"adam", "a step of Adam with decoupled weight decay, in one pass", vector, false, each<14>, each<7>, each<4>},
      // The same, an operation at a time, in eight passes that read and write 2, 3, 2, 3, 2, 2, 2 and 4 arrays; the
      // fifth array is the denominator that they hand on.
      {"adam_unfused", "the same in eight passes over memory, as frameworks without fusion do it", vector, false,
       each<14>, each<20>, each<5>},
  };
}

std::string shape_text(Shape shape) { return fmt::format("{}", fmt::join(shape, "x")); }

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::span<const KernelKind> kernel_catalogue() {
  static const std::vector<KernelKind> catalogue = make_catalogue();
  return catalogue;
}

const KernelKind& find_kernel(std::string_view name) { return get_from(kernel_catalogue(), "kernel", name); }

std::span<const ElementType> kernel_types() {
  static constexpr std::array types{ElementType::float32, ElementType::float64};
  return types;
}

Flops Kernel::flops() const { return Flops{static_cast<std::int64_t>(kind().flops(shape))}; }

Bytes Kernel::traffic() const {
  return Bytes{static_cast<std::int64_t>(kind().traffic(shape)) * static_cast<std::int64_t>(element_bytes(type))};
}

Bytes Kernel::working_set() const {
  return Bytes{static_cast<std::int64_t>(kind().working_set(shape)) * static_cast<std::int64_t>(element_bytes(type))};
}

void check_kernel(const Kernel& kernel) {
  const KernelKind& kind = find_kernel(kernel.name);
  const auto types = kernel_types();
  if (std::find(types.begin(), types.end(), kernel.type) == types.end())
    throw InputError(
        fmt::format("kernels are made for float32 and float64, {} is of {}", kernel.name, to_string(kernel.type)));
  if (kernel.shape.size() != kind.dimensions.size())
    throw InputError(fmt::format("{} has the shape {}, not {}", kind.name, fmt::join(kind.dimensions, " x "),
                                 shape_text(kernel.shape)));
  for (std::size_t d = 0; d < kernel.shape.size(); ++d)
    if (kernel.shape[d] < 1 || kernel.shape[d] > largest_dimension)
      throw InputError(fmt::format("{}: {} must be between 1 and {}, is {}", kind.name, kind.dimensions[d],
                                   largest_dimension, kernel.shape[d]));
  // A product of three dimensions is below 2^93.
  const auto width = static_cast<Wide>(element_bytes(kernel.type));
  if (kind.flops(kernel.shape) > most_flops || kind.traffic(kernel.shape) * width > most_bytes ||
      kind.working_set(kernel.shape) * width > most_bytes)
    throw InputError(
        fmt::format("{} of {} is more than 2^53 operations or 64 TiB of memory", kind.name, shape_text(kernel.shape)));
}

std::string to_text(const Kernel& kernel) {
  return fmt::format("{}:{}:{}", kernel.name, to_string(kernel.type), shape_text(kernel.shape));
}

Kernel parse_kernel(std::string_view text) {
  try {
    const auto parts = split(text, ':');
    if (parts.size() != 3)
      throw InputError("expected NAME:TYPE:SHAPE, as in matmul:float32:1024x1024x512 or adam:float32:1048576");
    Kernel kernel;
    kernel.name = shown(parts[0]);
    find_kernel(kernel.name);
    kernel.type = parse_element_type(shown(parts[1]));
    for (const std::string_view length : split(parts[2], 'x')) {
      const auto number = whole_number_in<std::int64_t>(length);
      if (!number || length.front() == '0' || length.front() == '-')
        throw InputError(
            fmt::format("'{}' is no length: a shape is whole numbers with 'x' between them", shown(length)));
      kernel.shape.push_back(*number);
    }
    check_kernel(kernel);
    return kernel;
  } catch (const InputError& error) {
    throw InputError(fmt::format("kernel '{}': {}", shown(text), error.what()));
  }
}

}  // namespace lockstep

// The kernels of the catalogue as this processor runs them.
#include "real/compute/kernel_body.hpp"

#include <unistd.h>

#include <array>
#include <new>

#include "core/base/catalogue.hpp"
#include "real/compute/adam.hpp"
#include "real/compute/blas.hpp"
#include "real/compute/elementwise.hpp"
#include "real/compute/matmul.hpp"
#include "real/compute/rowwise.hpp"

namespace lockstep::real {
namespace {

struct Maker {
  std::string name;
  std::unique_ptr<KernelBody> (*make)(const Kernel&, AlignedBuffer&);
};

std::span<const Maker> makers() {
  static const std::array list{
      Maker{"matmul", make_matmul},      Maker{"copy", make_elementwise}, Maker{"scale", make_elementwise},
      Maker{"add", make_elementwise},    Maker{"gelu", make_elementwise}, Maker{"softmax", make_rowwise},
      Maker{"layer_norm", make_rowwise}, Maker{"adam", make_adam},        Maker{"adam_unfused", make_adam},
  };
  return list;
}

}  // namespace

std::unique_ptr<KernelBody> make_kernel(const Kernel& kernel, AlignedBuffer& memory) {
  check_kernel(kernel);
  const Maker* maker = find_in(makers(), kernel.name);
  LOCKSTEP_CHECK(maker != nullptr, "kernel '{}' of the catalogue is not made here", kernel.name);
  const auto too_large = [&] {
    return RunFailure(
        fmt::format("{} needs {} of memory, more than there is", to_text(kernel), format_bytes(kernel.working_set())));
  };
  // An operating system promises memory that the machine does not have, and ends whoever uses it.
  if (kernel.working_set() > Bytes{::sysconf(_SC_PHYS_PAGES) * ::sysconf(_SC_PAGESIZE)}) throw too_large();
  try {
    return maker->make(kernel, memory);
  } catch (const std::bad_alloc&) {
    throw too_large();
  }
}

std::string product_library() { return Blas::why_not().empty() ? Blas::open().description() : std::string{}; }

}  // namespace lockstep::real

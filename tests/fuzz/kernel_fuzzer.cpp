// Texts of kernels: what parses survives, and its numbers are exact.
#include "core/compute/kernel.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::refuse_or_accept([&] {
    const std::string_view text = fuzz::text_of(data, size);
    const Kernel kernel = parse_kernel(text);
    LOCKSTEP_CHECK(to_text(kernel) == text, "{} became {}", text, to_text(kernel));
    LOCKSTEP_CHECK(kernel.flops().count() >= 0 && kernel.flops().count() <= std::int64_t{1} << 53, "flops of {}", text);
    LOCKSTEP_CHECK(kernel.working_set().count() > 0 && kernel.working_set() <= kernel.traffic() * 2, "bytes of {}",
                   text);
  });
  return 0;
}

#include "core/collective/msccl.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::refuse_or_accept([&] { read_msccl(fuzz::text_of(data, size), "fuzz.xml", 0); });
  return 0;
}

#include "core/topology/topology.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::refuse_or_accept(
      [&] { read_topology(config::parse_text(fuzz::text_of(data, size), "fuzz.yaml"), "fuzz.yaml"); });
  return 0;
}

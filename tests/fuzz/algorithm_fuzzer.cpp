#include "core/collective/algorithm_file.hpp"
#include "tests/fuzz/fuzzer.hpp"

// The first byte chooses for how many ranks.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  if (size == 0) return 0;
  fuzz::refuse_or_accept([&] {
    read_algorithm(config::parse_text(fuzz::text_of(data + 1, size - 1), "fuzz.yaml"), "fuzz.yaml", data[0] % 7);
  });
  return 0;
}

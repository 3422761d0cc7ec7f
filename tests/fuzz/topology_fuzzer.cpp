// The reader of topology files.
#include "core/topology/topology.hpp"

#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    lockstep::read_topology(lockstep::config::parse_text(text, "topology.yaml"), "topology.yaml");
  });
}

// Measurements: our results, logs of nccl-tests and of the OSU micro-benchmarks. They are read from a file.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "study/comparison.hpp"
#include "tests/fuzz/input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const std::string path = (std::filesystem::temp_directory_path() / fmt::format("lockstep-fuzz-{}.log", ::getpid())).string();
  std::ofstream(path, std::ios::binary) << fuzz::text_of(data, size);
  fuzz::refuse_or_accept([] { load_measurement(path); });
  std::filesystem::remove(path);
  return 0;
}

// The reader of measurements: result files and the text logs of nccl-tests and of the OSU micro-benchmarks.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "study/comparison.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    // It reads files only; one per process, overwritten by every input.
    static const std::string path =
        (std::filesystem::temp_directory_path() / ("lockstep-fuzz-" + std::to_string(getpid()))).string();
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    struct Remove {
      ~Remove() { std::filesystem::remove(path); }
    } remove_at_end;
    lockstep::load_measurement(path);
  });
}

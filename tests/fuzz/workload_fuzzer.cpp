// The reader of workload files, and the plan of what it accepts.
#include "core/workload/workload.hpp"

#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::answer(data, size, [](std::string_view text) {
    const auto workload = lockstep::read_workload(lockstep::config::parse_text(text, "workload.yaml"), "workload.yaml");
    lockstep::plan_workload(workload, workload.ranks.value_or(4));
  });
}

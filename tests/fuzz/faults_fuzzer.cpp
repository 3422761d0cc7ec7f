// Whatever the faults, in a workload over a small leaf-spine: refused, or drawn for a while.
#include "core/faults/changes.hpp"
#include "core/workload/workload.hpp"
#include "tests/fuzz/fuzzer.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const Topology topology =
      read_topology(config::parse_text(
                        "generate: {leaf_spine: {hosts: 4, leaves: 2, spines: 2, link: {bandwidth: 1Gbps}}}", "t.yaml"),
                    "t.yaml");
  return fuzz::answer(data, size, [](std::string_view text) {
    const Workload workload = read_workload(config::parse_text(text, "fuzz.yaml"), "fuzz.yaml");
    FaultStream stream(resolve_faults(workload.faults, topology, 4), 1);
    Duration last{0};
    for (int i = 0; i < 100; ++i) {
      const auto change = stream.next();
      if (!change) break;
      LOCKSTEP_CHECK(change->at >= last, "changes out of order");
      last = change->at;
    }
  });
}

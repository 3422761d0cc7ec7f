#include "core/schema/catalogue.hpp"

#include <array>

#include "core/collective/algorithm_file.hpp"
#include "core/profile/profile.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {

std::span<const FileSchema> schema_catalogue() {
  static const std::array<FileSchema, 4> catalogue = {
      FileSchema{"topology", "the hardware: hosts, GPUs, switches, links, or a generator of them", topology_schema},
      FileSchema{"workload", "what a run does: a list of collectives", workload_schema},
      FileSchema{"profile", "the measured constants of one software and hardware stack", profile_schema},
      FileSchema{"algorithm", "a collective algorithm as data", algorithm_schema}};
  return catalogue;
}

std::string schema_text(const FileSchema& schema) { return schema.schema().dump(2) + "\n"; }

}  // namespace lockstep

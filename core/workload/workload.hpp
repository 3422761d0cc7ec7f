// What training does; for now lists of collectives and kernels, or a data loader. Later issues add the section
// `train:`.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/compute/kernel.hpp"
#include "core/config/document.hpp"
#include "core/config/keys.hpp"
#include "core/faults/fault.hpp"
#include "core/loader/spec.hpp"
#include "core/plan/plan.hpp"
#include "core/topology/topology.hpp"

namespace lockstep {

/// all_to_all_v: every rank sends `size`, dealt to the others by zipf_counts.
struct Skew {
  double exponent = 1;
  std::int64_t seed = 1;
};

/// An element of `collectives:`; every combination of algorithm and size is one row of the result.
struct CollectiveSpec {
  config::Position position;
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::vector<std::string> algorithms;  ///< empty: the default of the kind
  std::vector<Bytes> sizes;             ///< explicit list, or the expanded sweep
  ElementType type = ElementType::float32;
  Reduction reduction = Reduction::sum;
  int root = 0;
  int channels = 1;
  Bytes chunk{0};
  bool in_place = true;
  int ranks_per_node = 0;                         ///< 0: what the command knows of the topology
  Dimensions dimensions{};                        ///< all 0: not given
  std::vector<std::vector<std::int64_t>> counts;  ///< all_to_all_v: elements from every rank to every other one
  std::optional<Skew> skew;                       ///< all_to_all_v: the same by a rule
};

/// An element of `kernels:`; every shape is one row of the result.
struct KernelSpec {
  config::Position position;
  std::vector<Kernel> kernels;
};

struct Workload {
  std::string name;
  std::string file;
  std::string sha256;
  std::vector<CollectiveSpec> collectives;  ///< empty with a loader
  std::vector<KernelSpec> kernels;          ///< after the collectives; empty with a loader
  std::optional<LoaderSpec> loader;
  std::int64_t iterations = 5;
  std::int64_t warmup = 1;
  std::optional<int> ranks;             ///< none: as many as the topology holds
  std::vector<config::GivenKey> given;  ///< the keys of its document
  std::vector<Fault> faults;            ///< besides those of the topology
};

/// The declaration of workload files (reader, messages, schema).
nlohmann::ordered_json workload_schema();
/// Reads a workload; throws InputError with every error of the file. `root` has --set already applied. Algorithm names
/// are kept as written: plan_workload knows the catalogue. The spec of a barrier has the one size 0.
Workload read_workload(const config::Node& root, const std::string& file);
Workload load_workload(const std::string& path);

/// One row of the result: where in the plan its timed operation is.
struct PlannedCollective {
  CollectiveSpec spec;          ///< with one algorithm and one size
  std::uint32_t operation = 0;  ///< CompiledOperation::id in role 0
  std::uint32_t start = 0;      ///< that of the common start before it
  std::uint32_t verify = 0;     ///< that of its check
  Collective collective;        ///< as planned
};

/// The same for a kernel.
struct PlannedKernel {
  Kernel kernel;
  std::string name;             ///< of its operation
  std::uint32_t operation = 0;  ///< CompiledOperation::id in role 0
  std::uint32_t start = 0;      ///< that of the common start before it
  std::uint32_t prepare = 0;    ///< that of what makes it ready, and checks it
};

struct PlannedWorkload {
  Plan plan;
  std::vector<PlannedCollective> rows;
  std::vector<PlannedKernel> kernels;
};

/// What a command knows of the group's place in the topology: used where the workload does not say it.
struct GroupShape {
  int ranks_per_node = 0;  ///< 0: not known, or not the same for all nodes
};
/// What the topology says about the group of its first `ranks` ranks.
GroupShape shape_of(const Topology& topology, int ranks);

/// `algorithm: auto` is chosen from topology and profile before a plan is made (sim/auto.hpp). What stays `auto` is a
/// library's to choose and to do: a plan may hold it (keep), but no executor of ours can run it.
enum class AutoRows { refuse, keep };

/// Workload + number of ranks -> plan: the collectives, then the kernels, which every rank runs. Reads the files that
/// `algorithm: file:PATH` names, PATH relative to the workload's file. Throws InputError with the position of the spec
/// (root outside the ranks, a size that is no multiple of the element, an algorithm that does not do the kind, ...).
PlannedWorkload plan_workload(const Workload& workload, int ranks, const GroupShape& shape = {},
                              AutoRows auto_rows = AutoRows::refuse);

}  // namespace lockstep

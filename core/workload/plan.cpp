// Workload -> plan: every collective is a loop of {fill, start together, collective, verify}; every kernel is made
// ready, and then a loop of {start together, compute}.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/collective/algorithm_file.hpp"
#include "core/collective/walk.hpp"
#include "core/plan/program.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {
namespace {

constexpr std::string_view from_file = "file:";

struct Row {
  const CollectiveSpec* spec;
  std::string algorithm;
  Bytes size;
  std::shared_ptr<const CustomAlgorithm> custom;
  PairCounts counts;
};

[[noreturn]] void refuse(const CollectiveSpec& spec, const std::string& message) {
  const std::string position = spec.position.file.empty() ? std::string{} : spec.position.text() + ": ";
  throw InputError(position + message);
}

// The path after `file:`, relative to the file that names it.
std::string path_of(const CollectiveSpec& spec, const std::string& algorithm) {
  const std::string path = algorithm.substr(from_file.size());
  const auto slash = spec.position.file.rfind('/');
  const bool relative = !path.empty() && path.front() != '/';
  return relative && slash != std::string::npos ? spec.position.file.substr(0, slash + 1) + path : path;
}

std::shared_ptr<const CustomAlgorithm> custom_of(const CollectiveSpec& spec, const std::string& algorithm, int ranks) {
  auto custom = std::make_shared<const CustomAlgorithm>(load_algorithm(path_of(spec, algorithm), ranks));
  if (custom->kind != spec.kind)
    refuse(spec,
           fmt::format("algorithm: {} is for {}, not {}", algorithm, to_string(custom->kind), to_string(spec.kind)));
  return custom;
}

PairCounts counts_of(const CollectiveSpec& spec, std::int64_t count, int ranks) {
  if (spec.kind != CollectiveKind::all_to_all_v) return {};
  if (spec.counts.empty()) {
    const Skew skew = spec.skew.value_or(Skew{});
    return zipf_counts(ranks, count, skew.exponent, static_cast<std::uint64_t>(skew.seed));
  }
  std::vector<std::int64_t> matrix;
  for (const auto& row : spec.counts) matrix.insert(matrix.end(), row.begin(), row.end());
  if (static_cast<int>(spec.counts.size()) != ranks)
    refuse(spec, fmt::format("counts: a matrix for {} ranks, and there are {}", spec.counts.size(), ranks));
  return {ranks, std::move(matrix)};
}

std::vector<Row> rows_of(const Workload& workload, int ranks, AutoRows auto_rows) {
  if (workload.loader)
    throw InputError(
        fmt::format("{}: a data loader is no list of collectives: 'simulate', 'run', 'check' and 'explain' take it",
                    workload.loader->position.text()));
  std::vector<Row> rows;
  for (const auto& spec : workload.collectives) {
    const auto width = static_cast<std::int64_t>(element_bytes(spec.type));
    if (rooted(spec.kind) && spec.root >= ranks)
      refuse(spec, fmt::format("root: {} is not one of the {} ranks (0..{})", spec.root, ranks, ranks - 1));
    auto algorithms = spec.algorithms;
    if (algorithms.empty()) algorithms.push_back(default_algorithm(spec.kind));
    auto sizes = spec.kind == CollectiveKind::barrier ? std::vector<Bytes>{Bytes{0}} : spec.sizes;
    if (!spec.counts.empty()) sizes = {Bytes{counts_of(spec, 0, ranks).most_sent() * width}};
    for (const auto& algorithm : algorithms) {
      std::shared_ptr<const CustomAlgorithm> custom;
      if (algorithm == "auto") {
        if (auto_rows == AutoRows::refuse)
          refuse(spec,
                 "algorithm 'auto' is chosen from a topology and a profile, by 'simulate', 'bench', 'check' and "
                 "'explain'; under a profile with 'nccl:' it is NCCL's and can only be predicted");
      } else if (algorithm.rfind(from_file, 0) == 0) {
        custom = custom_of(spec, algorithm, ranks);
      } else if (algorithm != "native") {
        try {
          find_algorithm(spec.kind, algorithm);
        } catch (const InputError& error) {
          refuse(spec, error.what());
        }
      }
      for (const Bytes size : sizes) {
        if (size.count() % width != 0)
          refuse(spec, fmt::format("sizes: {}B is no multiple of the {} bytes of a {}", size.count(), width,
                                   to_string(spec.type)));
        rows.push_back({&spec, algorithm, size, custom, counts_of(spec, size.count() / width, ranks)});
      }
    }
  }
  return rows;
}

// Without its place in memory, but for the size of the scratch.
Collective collective_of(const Row& row, const GroupShape& shape) {
  const CollectiveSpec& spec = *row.spec;
  Collective collective;
  collective.kind = spec.kind;
  collective.algorithm = row.algorithm;
  collective.custom = row.custom;
  collective.root = spec.root;
  collective.type = spec.type;
  collective.reduction = spec.reduction;
  collective.count = row.size.count() / static_cast<std::int64_t>(element_bytes(spec.type));
  collective.channels = spec.channels;
  collective.chunk = spec.chunk;
  collective.counts = row.counts;
  collective.dimensions = spec.dimensions;
  collective.ranks_per_node = spec.ranks_per_node;
  // Known from the topology, it matters to those that ask for it; the plans of others stay what they are without one.
  const bool asks = row.algorithm.rfind("hierarchical", 0) == 0 || (row.algorithm == "ring" && spec.channels > 1);
  if (collective.ranks_per_node == 0 && asks) collective.ranks_per_node = shape.ranks_per_node;
  if (row.custom != nullptr)
    collective.scratch.bytes = custom_scratch(*row.custom, collective.count, element_bytes(spec.type));
  return collective;
}

// Appends the operations of a kernel; `id` is that of the next operation.
void add_kernel(const Workload& workload, const Kernel& kernel, std::uint32_t& id, Stream& stream,
                std::vector<PlannedKernel>& planned) {
  const std::string tag = std::to_string(planned.size());
  const std::string text = to_text(kernel);
  PlannedKernel entry;
  entry.kernel = kernel;
  entry.name = "compute" + tag;
  entry.prepare = id;
  entry.start = id + 1;
  entry.operation = id + 2;
  id += 4;
  stream.items.emplace_back(Operation{"prepare" + tag, Prepare{text}, {}});
  Repeat repeat;
  repeat.count = workload.warmup + workload.iterations;
  repeat.warmup = workload.warmup;
  repeat.independent = true;
  repeat.body.emplace_back(Operation{"kernel_start" + tag, Mark{"start", true, true}, {}});
  repeat.body.emplace_back(
      Operation{entry.name, Compute{static_cast<double>(kernel.flops().count()), kernel.traffic(), text}, {}});
  // Ranks that share cores: none may go on while another computes.
  repeat.body.emplace_back(Operation{"kernel_finish" + tag, Mark{"finish", true, false}, {}});
  stream.items.emplace_back(std::move(repeat));
  planned.push_back(std::move(entry));
}

}  // namespace

GroupShape shape_of(const Topology& topology, int ranks) {
  if (ranks > topology.rank_capacity()) return {};
  std::vector<int> per_node;
  for (int rank = 0; rank < ranks; ++rank) {
    if (rank == 0 || topology.node_of_rank(rank) != topology.node_of_rank(rank - 1)) per_node.push_back(0);
    ++per_node.back();
  }
  GroupShape shape;
  if (std::all_of(per_node.begin(), per_node.end(), [&](int count) { return count == per_node.front(); }))
    shape.ranks_per_node = per_node.front();
  return shape;
}

PlannedWorkload plan_workload(const Workload& workload, int ranks, const GroupShape& shape, AutoRows auto_rows) {
  PlannedWorkload planned;
  Plan& plan = planned.plan;
  plan.name = workload.name;
  plan.ranks = ranks;
  GroupFamily world;
  world.name = "world";
  world.size = ranks;
  plan.groups.push_back(world);

  const auto rows = rows_of(workload, ranks, auto_rows);
  const auto in_place = [](const Row& row) {
    return row.spec->in_place && !needs_separate_source(row.spec->kind) &&
           (row.custom == nullptr || !row.custom->from_source);
  };
  std::vector<Collective> collectives;
  Bytes largest_target{0};
  Bytes largest_source{0};
  Bytes largest_scratch{0};
  for (const auto& row : rows) {
    collectives.push_back(collective_of(row, shape));
    const Collective& collective = collectives.back();
    if (collective.algorithm != "native" && collective.algorithm != "auto") {
      const Algorithm& algorithm = algorithm_of(collective);
      const std::string refusal =
          algorithm.refusal == nullptr ? std::string{} : algorithm.refusal(request_for(collective, {0, 0, ranks}));
      if (!refusal.empty()) refuse(*row.spec, fmt::format("{}: {}", row.algorithm, refusal));
    }
    largest_target = std::max(largest_target, collective.target_size());
    if (!in_place(row)) largest_source = std::max(largest_source, row.size);
    largest_scratch = std::max(largest_scratch, collective.scratch.bytes);
  }
  Role role;
  role.name = "all";
  if (!rows.empty()) role.buffers.push_back({"target", largest_target});
  const bool separate = std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return !in_place(row); });
  if (separate) role.buffers.push_back({"source", largest_source});
  const auto scratch_buffer = static_cast<BufferId>(role.buffers.size());
  if (largest_scratch.count() > 0) role.buffers.push_back({"scratch", largest_scratch});
  Stream stream;
  stream.name = "main";
  std::vector<std::uint32_t> operations;
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    Collective& collective = collectives[i];
    collective.target = {0, {}, collective.target_size()};
    collective.source = in_place(row) ? collective.target : Span{1, {}, row.size};
    if (collective.scratch.bytes.count() > 0) collective.scratch.buffer = scratch_buffer;
    Repeat repeat;
    repeat.count = workload.warmup + workload.iterations;
    repeat.warmup = workload.warmup;
    repeat.independent = true;
    const std::string tag = std::to_string(i);
    repeat.body.push_back(Operation{"fill" + tag, Fill{collective}, {}});
    repeat.body.push_back(Operation{"start" + tag, Mark{"start", true, true}, {}});
    repeat.body.push_back(Operation{"collective" + tag, collective, {}});
    // The check is work for the processors: no rank may begin it while another is still on its way.
    repeat.body.push_back(Operation{"finish" + tag, Mark{"finish", true, false}, {}});
    repeat.body.push_back(Operation{"verify" + tag, Verify{collective}, {}});
    stream.items.emplace_back(std::move(repeat));
    PlannedCollective entry;
    entry.spec = *row.spec;
    entry.spec.algorithms = {row.algorithm};
    entry.spec.sizes = {row.size};
    entry.operation = id + 2;
    entry.start = id + 1;
    entry.verify = id + 4;
    entry.collective = collective;
    id += 5;
    planned.rows.push_back(std::move(entry));
  }
  for (const auto& spec : workload.kernels)
    for (const Kernel& kernel : spec.kernels) add_kernel(workload, kernel, id, stream, planned.kernels);
  role.streams.push_back(std::move(stream));
  plan.roles.push_back(std::move(role));
  plan.role_ranges.push_back({0, ranks - 1, 0});
  return planned;
}

}  // namespace lockstep
